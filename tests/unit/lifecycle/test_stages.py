"""Every stage of a run has its clock, and those that a bundle can do without may be left out."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from drivetrain.lifecycle.train import train
from drivetrain.lifecycle.training.proved import EVERY_ROW
from drivetrain.lifecycle.training.stages import Clock, Run
from drivetrain.runtime.bundle import read_bundle


def table() -> pl.DataFrame:
    return pl.DataFrame({"x": [float(i % 37) for i in range(400)], "y": ["a", "b"] * 200})


def test_a_stage_that_is_entered_again_adds_to_its_time() -> None:
    clock = Clock()
    for name in ("blend", "proof", "blend"):
        with clock.stage(name):
            pass
    assert list(clock.taken_s) == ["blend", "proof"]


def test_the_bundle_tells_how_long_each_stage_took(tmp_path: Path) -> None:
    train(table(), "y", out=tmp_path / "bundle", time_limit=60.0, trials=1, workers=0)
    taken = read_bundle(tmp_path / "bundle").manifest.measured["stages_s"]
    assert {"rows", "search", "shrink", "every row", "proof", "evaluation", "speed"} <= set(taken)


def test_without_time_a_bundle_is_not_calibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "spare_s", lambda self: 0.0)
    train(table(), "y", out=tmp_path / "bundle", time_limit=60.0, trials=1, workers=0)
    told = {one.subject: one for one in read_bundle(tmp_path / "bundle").manifest.decisions}
    assert told["calibration"].reason == "There was no time to try one."


def test_without_time_to_prove_models_of_every_row_the_judged_ones_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "can_end", lambda self, name, seconds: False)
    train(table(), "y", out=tmp_path / "bundle", time_limit=60.0, trials=1, workers=0)
    told = [one for one in read_bundle(tmp_path / "bundle").manifest.decisions
            if one.subject == EVERY_ROW]  # fmt: skip
    assert len(told) == 1
    assert "no time left to prove" in told[0].reason


def test_a_late_run_measures_no_smaller_models_and_expected_costs_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "spare_s", lambda self: -1.0)
    monkeypatch.setattr("drivetrain.lifecycle.train.shrink_s", lambda *_: 1.0)
    train(table(), "y", out=tmp_path / "bundle", time_limit=60.0, trials=1, workers=0)
    front = read_bundle(tmp_path / "bundle").manifest.measured["front"]
    assert all(line["latency_us"] is None for line in front)
