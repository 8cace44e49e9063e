"""Which version answered: by the log where there is one, else by the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivetrain.cli.main import main
from drivetrain.core.errors import DataError, SettingError, UnknownNameError
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.register import register
from drivetrain.lifecycle.who_served import who_served
from drivetrain.registry.address import now_us
from drivetrain.registry.entries import WATCH_GATE, VerdictBody, Version
from drivetrain.registry.ledger import Ledger
from drivetrain.serve.prediction_id import new_id
from drivetrain.testing.monitored import monitored_rows
from drivetrain.testing.monitored_bundle import write_segment
from drivetrain.testing.tabular_bundle import write_tabular_bundle


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Version]]:
    """A ledger whose champion is version 1, with a version 2 beside it."""
    folder = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{folder}/ledger.db"
    versions = []
    for trees in (1, 2):
        write_tabular_bundle(folder / str(trees), trees=trees)
        versions.append(register(folder / str(trees), "income", ledger=url))
    promote("income", 1, ledger=url)
    return url, versions


def logged_by(folder: Path, content_hash: str, role: str = "answer") -> str:
    rows = monitored_rows(5, seed=0)
    ids = write_segment(
        folder, rows, content_hash=content_hash, role=role, start_us=now_us(), duration_us=5000
    )
    return ids[3]


def test_the_log_knows_who_answered_where_the_alias_points_elsewhere(served, tmp_path) -> None:
    url, (_, second) = served
    prediction = logged_by(tmp_path, second.content_hash)

    answer = who_served("income", id=prediction, log=tmp_path, ledger=url)

    assert answer.version.version == 2
    assert answer.logged.content_hash == second.content_hash
    assert who_served("income", id=prediction, ledger=url).version.version == 1


def test_a_shadow_is_called_one(served, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    url, (_, second) = served
    prediction = logged_by(tmp_path, second.content_hash, role="shadow")

    words = ["who-served", "income", "--id", prediction, "--log", str(tmp_path), "--ledger", url]
    assert main(words) == 0
    assert "version 2 answered, as a shadow that no client saw" in capsys.readouterr().out


def test_a_damaged_segment_hides_no_other(served, tmp_path) -> None:
    url, (first, _) = served
    prediction = logged_by(tmp_path, first.content_hash)
    (tmp_path / "99999999999999999999-w0-1.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / ".open.parquet").write_bytes(b"")

    assert who_served("income", id=prediction, log=tmp_path, ledger=url).version.version == 1


def test_what_no_segment_and_no_version_holds_is_refused(served, tmp_path) -> None:
    url, _ = served
    with pytest.raises(UnknownNameError, match="closed"):
        who_served("income", id=new_id()[1], log=tmp_path, ledger=url)
    prediction = logged_by(tmp_path, "f" * 64)
    with pytest.raises(UnknownNameError, match="ffffffffffff"):
        who_served("income", id=prediction, log=tmp_path, ledger=url)
    with pytest.raises(DataError, match="no such folder"):
        who_served("income", id=prediction, log=tmp_path / "absent", ledger=url)
    with pytest.raises(SettingError, match="UUID"):
        who_served("income", id="1234", log=tmp_path, ledger=url)


def test_a_passed_look_at_the_log_justifies_no_promotion(served) -> None:
    url, (_, second) = served
    book = Ledger(url)
    look = VerdictBody(passed=True, gate=WATCH_GATE, summary="", challenger=second.content_hash)
    book.record_verdict("income", look)
    assert promote("income", 2, ledger=url).is_override
    won = VerdictBody(passed=True, gate="compare", summary="", challenger=second.content_hash)
    book.record_verdict("income", won)
    assert not promote("income", 2, ledger=url).is_override
    promote("income", 1, ledger=url)
