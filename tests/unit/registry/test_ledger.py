"""The ledger remembers everything, in order, whoever writes at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import msgspec
import pytest
from tests.unit.runtime import tiny

from drivetrain.bundle.write import write_bundle
from drivetrain.core.errors import (
    BundleError,
    DataError,
    ResourceError,
    SettingError,
    UnknownNameError,
)
from drivetrain.registry.entries import CHAMPION, DesiredBody, VerdictBody
from drivetrain.registry.ledger import AliasMoved, Ledger
from drivetrain.runtime.bundle import read_bundle


@pytest.fixture
def name() -> str:
    """A model's name that no other test uses: PostgreSQL is shared by the session."""
    return f"model-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def three(ledger: Ledger, small_bundles: list[Path], name: str) -> str:
    """A model with three versions."""
    for bundle in small_bundles:
        ledger.register(bundle, name)
    return name


def test_versions_are_consecutive_and_remember_their_bundle(ledger: Ledger, three: str) -> None:
    versions = ledger.versions(three)

    assert [version.version for version in versions] == [1, 2, 3]
    assert len({version.content_hash for version in versions}) == 3
    assert all(version.who == "tester" for version in versions)


def test_the_same_bundle_keeps_its_version(
    ledger: Ledger, three: str, small_bundles: list[Path]
) -> None:
    assert ledger.register(small_bundles[1], three).version == 2
    assert len(ledger.versions(three)) == 3


def test_a_registered_bundle_outlives_the_folder_it_came_from(
    ledger: Ledger, three: str, small_bundles: list[Path]
) -> None:
    for file in small_bundles[0].iterdir():
        file.unlink()

    kept = Path(ledger.version(three, 1).location)
    assert (kept / "model.onnx").exists()


def test_a_changed_bundle_is_not_registered(
    ledger: Ledger, small_bundles: list[Path], name: str
) -> None:
    model = small_bundles[0] / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"?")

    with pytest.raises(BundleError):
        ledger.register(small_bundles[0], name)
    assert ledger.versions(name) == []


def test_an_alias_moves_only_from_where_it_was_seen(ledger: Ledger, three: str) -> None:
    ledger.move(three, CHAMPION, 1, reason="first", expected_revision=0)
    seen = ledger.aliases(three)[CHAMPION].revision
    ledger.move(three, CHAMPION, 2, reason="second", expected_revision=seen)

    with pytest.raises(AliasMoved, match="at version 2"):
        ledger.move(three, CHAMPION, 3, reason="too late", expected_revision=seen)
    assert ledger.version(three, CHAMPION).version == 2


FROZEN = """
import os, signal, sys
from drivetrain.core.errors import DrivetrainError
from drivetrain.registry.ledger import Ledger

ledger = Ledger(sys.argv[1])
seen = ledger.aliases(sys.argv[2])["champion"].revision
os.kill(os.getpid(), signal.SIGSTOP)
try:
    ledger.move(sys.argv[2], "champion", 3, reason="thawed", expected_revision=seen)
except DrivetrainError as error:
    print(type(error).__name__)
"""


def test_a_writer_that_was_frozen_while_another_moved_the_alias_is_refused(
    ledger: Ledger, three: str
) -> None:
    ledger.move(three, CHAMPION, 1, reason="first")
    command = [sys.executable, "-c", FROZEN, ledger.url, three]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as frozen:
        os.waitpid(frozen.pid, os.WUNTRACED)  # until it has stopped itself
        ledger.move(three, CHAMPION, 2, reason="while it was frozen")
        frozen.send_signal(signal.SIGCONT)
        told, _ = frozen.communicate(timeout=60)
    assert told.strip() == "AliasMoved"
    assert ledger.version(three, CHAMPION).version == 2


def test_a_promotion_without_a_passing_verdict_is_an_override(ledger: Ledger, three: str) -> None:
    passed = ledger.record_verdict(
        three, VerdictBody(passed=True, gate="paired", summary="better", challenger="h")
    )
    by_hand = ledger.move(three, CHAMPION, 1, reason="by hand")
    proved = ledger.move(three, CHAMPION, 2, reason="better", verdict=passed)

    assert by_hand.body["is_override"]
    assert not proved.body["is_override"]
    assert proved.body["verdict"] == passed.id


def test_rollback_goes_back_and_never_returns_to_what_it_left(ledger: Ledger, three: str) -> None:
    for version in (1, 2, 3):
        ledger.move(three, CHAMPION, version, reason="promoted")

    ledger.rollback(three)
    assert ledger.version(three, CHAMPION).version == 2
    ledger.rollback(three)
    assert ledger.version(three, CHAMPION).version == 1
    with pytest.raises(DataError, match="--to"):
        ledger.rollback(three)


def test_rollback_goes_to_a_named_version(ledger: Ledger, three: str) -> None:
    for version in (1, 2, 3):
        ledger.move(three, CHAMPION, version, reason="promoted")

    assert ledger.rollback(three, to=1).body["version"] == 1


def test_the_champion_at_a_time_is_remembered(ledger: Ledger, three: str) -> None:
    first = ledger.move(three, CHAMPION, 1, reason="first")
    second = ledger.move(three, CHAMPION, 2, reason="second")

    before = ledger.served_at(three, first.at_us - 1)
    between = ledger.served_at(three, second.at_us - 1)
    after = ledger.served_at(three, second.at_us)
    assert before is None
    assert between is not None
    assert between.version == 1
    assert after is not None
    assert after.version == 2


def test_a_desired_state_is_a_compare_and_swap(ledger: Ledger, name: str) -> None:
    ledger.desire(name, "production", DesiredBody(document={"share": 1}), expected_revision=0)

    with pytest.raises(AliasMoved):
        ledger.desire(name, "production", DesiredBody(document={"share": 2}), expected_revision=0)
    newest = ledger.desired(name, "production")
    assert newest is not None
    assert newest.body["document"] == {"share": 1}


def test_an_unknown_version_is_named_with_the_known_ones(ledger: Ledger, three: str) -> None:
    with pytest.raises(UnknownNameError, match="1, 2, 3"):
        ledger.version(three, 9)


@pytest.mark.parametrize("url", ["mysql://x/y", "no url at all", "ftp://x"])
def test_another_kind_of_database_is_a_setting_error(url: str) -> None:
    with pytest.raises(SettingError, match="sqlite:///FILE"):
        Ledger(url)


WRITERS = """
import os, sys
import psycopg, sqlalchemy.dialects.postgresql.psycopg, sqlalchemy.dialects.sqlite
from drivetrain.registry.entries import VerdictBody
from drivetrain.registry.ledger import Ledger
url, name = sys.argv[1:]
def write(who):
    ledger = Ledger(url, who=who)
    for number in range(5):
        body = VerdictBody(passed=False, gate="g", summary=str(number), challenger="one")
        ledger.record_verdict(name, body)
children = []
for number in range(32):
    child = os.fork()
    if child == 0:
        write(str(number))
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_32_processes_write_at_once_and_every_write_is_there(url: str, name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WRITERS, url, name], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr
    written = Ledger(url).history(name, kind="verdict")
    assert [entry.revision for entry in written] == list(range(1, 32 * 5 + 1))
    for number in range(32):
        own = [entry.body["summary"] for entry in written if entry.who == str(number)]
        assert own == ["0", "1", "2", "3", "4"]


def test_a_version_remembers_the_score_on_its_metric(
    ledger: Ledger, small_bundles: list[Path], name: str, tmp_path: Path
) -> None:
    bundle = read_bundle(small_bundles[0])
    measures = [
        {"metric": "auc", "model": {"score": 0.9}},
        {"metric": "log_loss", "model": {"score": 0.25}},
    ]
    manifest = msgspec.structs.replace(
        tiny.manifest(), metric="log_loss", scorecard={"measures": measures}
    )
    scored = tmp_path / "scored"
    write_bundle(scored, manifest, bundle.model, (small_bundles[0] / "vectors.json").read_bytes())

    assert ledger.register(scored, name).score == 0.25
    assert ledger.register(small_bundles[0], name).score is None


@pytest.mark.parametrize("name", ["", " ", "a/b", "a@b", "a\nb", "a" * 101, "\u202ea", "a\0"])
def test_a_name_that_could_not_be_written_down_is_refused(
    name: str, tmp_path: Path, small_bundles: list[Path]
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/names.db")
    with pytest.raises(SettingError, match="expected 1 to 100 printable characters"):
        ledger.register(small_bundles[0], name)
    for each in ("Income", "income", "née 2"):
        assert ledger.register(small_bundles[0], each).version == 1


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, small_bundles: list[Path]) -> None:
    file = tmp_path / "damaged.db"
    Ledger(f"sqlite:///{file}").register(small_bundles[0], "income")
    pages = bytearray(file.read_bytes())
    pages[4096:8192] = b"\xff" * 4096
    file.write_bytes(pages)
    with pytest.raises(ResourceError, match=r"malformed.*\.recover"):
        Ledger(f"sqlite:///{file}").versions("income")
