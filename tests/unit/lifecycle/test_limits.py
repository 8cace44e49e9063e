"""Limits are kept by measurement, or nothing is written and the trials stay for another run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from drivetrain.core.errors import LimitError
from drivetrain.lifecycle.leaderboard import leaderboard
from drivetrain.lifecycle.replay import replay
from drivetrain.lifecycle.train import train
from drivetrain.lifecycle.training import limits, shrink, students
from drivetrain.lifecycle.training.proved import EVERY_ROW
from drivetrain.runtime.bundle import read_bundle
from drivetrain.search.journal import TrialEntry, read_journal


def table() -> pl.DataFrame:
    random = np.random.default_rng(0)
    x, z = random.normal(size=600), random.normal(size=600)
    return pl.DataFrame({"x": x, "z": z, "y": x + x * z + 0.1 * random.normal(size=600)})


SETTINGS = {"time_limit": 600.0, "trials": 1, "workers": 0, "folds": 4, "refit": False}


@pytest.fixture(autouse=True)
def _in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrink, "MEASURE_S", 0.02)
    monkeypatch.setattr(limits, "MEASURE_S", 0.02)
    monkeypatch.setattr(students, "ROUNDS", 40)


def test_a_limit_of_size_makes_the_graph_smaller(tmp_path: Path) -> None:
    free = train(table(), "y", out=tmp_path / "free", **SETTINGS)
    assert all(line.latency_us is None for line in free.front)  # no clock decides here
    graph = read_bundle(tmp_path / "free").manifest.files["model.onnx"].size_bytes

    small = train(table(), "y", out=tmp_path / "small", max_size_mb=0.5 * graph / 1e6, **SETTINGS)
    manifest = read_bundle(tmp_path / "small").manifest
    assert manifest.files["model.onnx"].size_bytes <= 0.5 * graph
    chosen = [line for line in small.front if line.is_chosen]
    assert [line.size_bytes is not None for line in chosen] == [True]
    assert "student, one model" in {line.name for line in small.front}
    told = leaderboard(tmp_path / "small")
    assert (told.front, told.given_up) == (small.front, small.given_up)
    assert told.given_up is not None
    assert told.given_up.low <= told.given_up.share <= told.given_up.high
    assert chosen[0].name in (tmp_path / "small" / "report.html").read_text()

    again = replay(tmp_path / "small.run", data=table(), out=tmp_path / "again")
    assert again.same


def test_a_limit_that_cannot_be_met_names_the_nearest_and_keeps_the_trials(tmp_path: Path) -> None:
    with pytest.raises(
        LimitError, match=r"at most 1 µs for a row, got none of \d+ models.*nearest"
    ):
        train(table(), "y", out=tmp_path / "bundle", max_latency_us=1.0, **SETTINGS)
    assert not (tmp_path / "bundle").exists()
    journal = tmp_path / "bundle.run" / "journal.jsonl"
    before = [each for each in read_journal(journal) if isinstance(each, TrialEntry)]
    assert before

    kept = train(table(), "y", out=tmp_path / "bundle", max_latency_us=1e4, **SETTINGS)
    assert kept.latency.single_row_p50_us <= 1e4
    after = [each for each in read_journal(journal) if isinstance(each, TrialEntry)]
    assert after[: len(before)] == before


def test_a_bundle_that_only_its_judged_models_keep_within_the_limits_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, seen = limits._final, []

    def slow_at_first(run, proved):
        line, latency = measured(run, proved)
        seen.append(proved)
        is_every_row = proved is seen[0]
        return msgspec.structs.replace(line, latency_us=1e9 if is_every_row else 1.0), latency

    monkeypatch.setattr(limits, "_final", slow_at_first)
    settings = {**SETTINGS, "refit": True}
    train(table(), "y", out=tmp_path / "bundle", max_latency_us=1e4, **settings)
    assert len(seen) == 3  # twice on every row, once as judged
    told = [one for one in read_bundle(tmp_path / "bundle").manifest.decisions
            if one.subject == EVERY_ROW]  # fmt: skip
    assert [one.choice for one in told] == ["540"]
    assert "not within the limits" in told[0].reason
