"""A run that a clock has cut, and its replay, which no clock touches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from drivetrain.cli.commands.replay import command
from drivetrain.core.errors import BundleError
from drivetrain.lifecycle.replay import ReplayResult, replay
from drivetrain.lifecycle.train import train
from drivetrain.runtime.bundle import read_bundle
from drivetrain.search.journal import (
    JOURNAL_FILE,
    ChoiceEntry,
    EndEntry,
    Header,
    TrialEntry,
    read_journal,
)

LIMIT_S = 5.0  # too short for what the portfolio would try


def table(path: Path, rows: int = 3_000) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 8))
    job = random.choice(["clerk", "cook", "driver"], rows)
    y = x[:, 0] * x[:, 1] + (job == "cook") + random.normal(size=rows) > 0.5
    frame = pl.DataFrame({f"x{i}": x[:, i] for i in range(8)})
    frame.with_columns(pl.Series("job", job), pl.Series("y", y.astype(int))).write_csv(path)
    return path


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: the home of ``data.csv``, ``bundle`` and ``bundle.run``."""
    home = tmp_path_factory.mktemp("ended")
    train(table(home / "data.csv"), "y", time_limit=LIMIT_S, out=home / "bundle", workers=2)
    return home


def entries(home: Path) -> list[Any]:
    return list(read_journal(home / "bundle.run" / JOURNAL_FILE))


def test_a_replay_gives_the_same_bundle_to_the_bit(ended: Path, tmp_path: Path) -> None:
    told = entries(ended)
    stopped = [one for one in told if isinstance(one, TrialEntry) and one.status != "complete"]
    cut = [one for one in told if isinstance(one, TrialEntry) and any(one.choices)]
    assert stopped or cut, "the clock has decided something"
    result = replay(ended / "bundle", out=tmp_path / "again")
    assert result.same, result.differs
    for name in read_bundle(ended / "bundle").manifest.files:
        assert (tmp_path / "again" / name).read_bytes() == (ended / "bundle" / name).read_bytes()
    assert result.content_hash == read_bundle(ended / "bundle").manifest.content_hash


def test_only_the_journal_is_left_of_a_finished_run(ended: Path) -> None:
    assert {path.name for path in (ended / "bundle.run").iterdir()} == {JOURNAL_FILE, "lock"}
    last = entries(ended)[-1]
    assert isinstance(last, EndEntry)
    assert last.content_hash == read_bundle(ended / "bundle").manifest.content_hash


def rewritten(ended: Path, home: Path, told: list[Any]) -> Path:
    """Return a run folder that holds these entries."""
    folder = home / "bundle.run"
    folder.mkdir()
    lines = [msgspec.json.encode(entry) + b"\n" for entry in told]
    (folder / JOURNAL_FILE).write_bytes(b"".join(lines))
    return folder


def test_other_data_are_refused(ended: Path, tmp_path: Path) -> None:
    other = tmp_path / "data.csv"
    lines = (ended / "data.csv").read_text().splitlines(keepends=True)
    other.write_text("".join(lines[:-1]))
    with pytest.raises(BundleError, match=r"expected the data of the run.*--data PATH"):
        replay(ended / "bundle.run", data=other, out=tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_other_versions_are_refused_by_name_before_anything_is_read(
    ended: Path, tmp_path: Path
) -> None:
    header, *rest = entries(ended)
    assert isinstance(header, Header)
    older = msgspec.structs.replace(header, packages={**header.packages, "lightgbm": "0.1"})
    folder = rewritten(ended, tmp_path, [older, *rest])
    with pytest.raises(BundleError, match=r"versions of the run, lightgbm 0\.1, got lightgbm \d"):
        replay(folder, data="no such file", out=tmp_path / "again")


def test_a_replay_that_comes_out_different_is_told_with_status_1() -> None:
    result = ReplayResult(
        bundle="again", same=False, content_hash="a" * 64, expected_hash="b" * 64,
        differs=("model.onnx",), machine="A", expected_machine="B", trials=3, elapsed_s=1.0,
    )  # fmt: skip
    assert command.status(result) == 1
    told = command.render(result)
    assert all(word in told for word in ("differs", "model.onnx", "b" * 64, "the run was on B"))


def test_a_run_that_has_not_ended_and_a_folder_without_one_are_refused(
    ended: Path, tmp_path: Path
) -> None:
    cut = [one for one in entries(ended) if not isinstance(one, EndEntry)]
    assert any(isinstance(one, ChoiceEntry) for one in cut)
    with pytest.raises(BundleError, match="has ended with a bundle"):
        replay(rewritten(ended, tmp_path, cut), out=tmp_path / "again")
    with pytest.raises(BundleError, match="nothing there"):
        replay(tmp_path / "nowhere", out=tmp_path / "again")
