"""Planted leaks: what only a row's own group, or only its own stretch of time, can tell.

Every number that a run goes by is looked at: each trial's out-of-fold score (folds, encoders,
early stopping), which blend and calibration are made of, and the holdout's. The same table without
``group`` or ``time`` is learned nearly without error, so one split that does not hold would show.
Where labels are noise, means of them over codes may tell no model of those that it is judged by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.lifecycle.train import TrainResult, train

STRETCHES, ROWS_EACH = 80, 8
CHANCE = 0.72  # an AUC of chance on so few groups: three standard errors above a half
LEAKED = 0.9
NOISE = 0.08  # of an AUC: six standard errors of 2,250 rows, and some for early stopping


def planted(seed: int = 3) -> pl.DataFrame:
    """Eighty stretches of eight rows, each of one class; three columns name the stretch."""
    random = np.random.default_rng(seed)
    stretch = np.repeat(np.arange(STRETCHES), ROWS_EACH)
    label = random.permutation(np.arange(STRETCHES) % 2)[stretch]
    order = random.permutation(len(stretch))
    frame = pl.DataFrame(
        {
            "team": stretch.astype(str),
            "badge": np.array([f"b{7919 * number % 1009}" for number in stretch]),
            "code": (stretch * 7919 % 1009).astype(np.float64),
            "level": random.normal(size=STRETCHES)[stretch],
            "noise": random.normal(size=len(stretch)),
            "day": np.datetime64("2024-01-01", "us") + np.arange(len(stretch)) * 3_600_000_000,
            "bought": np.where(label == 1, "yes", "no"),
        }
    )
    return frame[order]


def fitted(frame: pl.DataFrame, **settings: Any) -> TrainResult:
    return train(
        frame,
        "bought",
        time_limit=20.0,
        trials=3,
        workers=2,
        refit=False,
        keep=("badge", "code"),
        **settings,
    )


def scores(result: TrainResult) -> dict[str, float]:
    found = {row.trial: row.score for row in result.leaderboard if row.score is not None}
    return {**found, "holdout": result.score}


@pytest.mark.parametrize("split", [{"group": "team"}, {"time": "day"}])
def test_a_split_that_is_asked_for_holds_in_every_number_of_the_run(split: dict[str, str]) -> None:
    frame = planted()
    frame = frame.drop("day") if "group" in split else frame.drop("team")
    result = fitted(frame, **split)
    assert len(scores(result)) >= 3
    assert max(scores(result).values()) < CHANCE, scores(result)


def test_without_it_the_leak_is_learned() -> None:
    result = fitted(planted().drop("team", "day"))
    assert min(scores(result).values()) > LEAKED, scores(result)


def noise(rows: int = 3_000, seed: int = 0) -> pl.DataFrame:
    """Codes of many values each, and labels that nothing tells."""
    random = np.random.default_rng(seed)
    codes = {f"code{n}": random.integers(0, 300, rows).astype(str) for n in range(4)}
    return pl.DataFrame({**codes, "bought": random.integers(0, 2, rows).astype(str)})


def test_no_mean_of_labels_tells_a_model_those_that_judge_it() -> None:
    result = train(noise(), "bought", time_limit=20.0, trials=4, workers=2, refit=False)
    found = scores(result)
    assert {name.partition("-")[0] for name in found} >= {"lightgbm", "linear"}
    assert max(abs(score - 0.5) for score in found.values()) < NOISE, found
