"""A student learns from a teacher's answers, and ships fitted on every row like all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from drivetrain.lifecycle.replay import replay
from drivetrain.lifecycle.train import train
from drivetrain.lifecycle.training import shrink, students
from drivetrain.runtime.bundle import read_bundle
from drivetrain.search.shrink import Limits, Measured


def student_only(lines: tuple[Measured, ...], limits: Limits) -> Measured | None:
    return next((line for line in lines if line.name == "student, one model"), None)


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_student_that_is_chosen_ships_and_is_replayed(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    x, z = random.normal(size=400), random.normal(size=400)
    y = x + x * z + 0.5 * random.normal(size=400)
    if task != "regression":
        y = np.digitize(y, [-0.5, 0.5]).astype(float)
    frame = pl.DataFrame({"x": x, "z": z, "y": y})
    monkeypatch.setattr(shrink, "choose", student_only)
    monkeypatch.setattr(shrink, "MEASURE_S", 0.01)
    monkeypatch.setattr(students, "ROUNDS", 40)
    train(frame, "y", task=task, out=tmp_path / "bundle", time_limit=600.0, trials=1, workers=0,
          folds=3, max_size_mb=100.0)  # fmt: skip
    (recipe,) = read_bundle(tmp_path / "bundle").manifest.recipes
    assert recipe["teacher"]
    assert recipe["folds"] == 1
    told = {d.subject: d for d in read_bundle(tmp_path / "bundle").manifest.decisions}
    assert told["rows of the models that ship"].choice == "all 400"
    assert "a student" in told["blend"].choice
    assert replay(tmp_path / "bundle", data=frame, out=tmp_path / "again").same


def test_a_student_is_not_told_to_be_better_than_its_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    code = random.integers(0, 150, size=600)  # whose means tell much of the labels they are made of
    y = np.where(random.uniform(size=600) < 0.3 + 0.4 * (code % 2), "yes", "no")
    frame = pl.DataFrame({"code": [f"c{each}" for each in code], "y": y})
    monkeypatch.setattr(shrink, "MEASURE_S", 0.01)
    monkeypatch.setattr(students, "ROUNDS", 60)
    front = train(frame, "y", out=tmp_path / "bundle", time_limit=600.0, trials=2, workers=0,
                  folds=3, max_size_mb=100.0).front  # fmt: skip
    full = next(line for line in front if line.name == "full ensemble")
    taught = [line for line in front if line.name.startswith("student")]
    assert taught
    assert all(line.error >= full.error and line.worse >= 0.0 for line in taught)
    assert all(line.risk >= 2.9 * (line.error / full.error - 1.0) for line in taught)
