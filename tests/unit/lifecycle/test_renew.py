"""What ships has learned from every row; what is scored has not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from drivetrain.lifecycle.train import train
from drivetrain.runtime.bundle import read_bundle

ROWS = "rows of the models that ship"


def without_pattern(n: int) -> pl.DataFrame:
    """A target without any pattern: only a model that has seen a row knows it."""
    random = np.random.default_rng(0)
    return pl.DataFrame({"x": random.normal(size=n), "z": random.normal(size=n),
                         "y": random.choice(["a", "b"], n)})  # fmt: skip


def trained(folder: Path, *, refit: bool, **settings: object) -> tuple[float, dict[str, str]]:
    out = folder / f"refit-{refit}"
    result = train(
        without_pattern(400), "y", out=out, time_limit=60.0, trials=4, workers=0, refit=refit,
        metric="log_loss", **settings,
    )  # fmt: skip
    manifest = read_bundle(out).manifest
    return result.score, {one.subject: one.choice for one in manifest.decisions}


def test_the_models_that_ship_are_fitted_on_every_row(tmp_path: Path) -> None:
    _, told = trained(tmp_path, refit=True)
    assert told[ROWS] == "all 400"


def test_without_refit_the_models_that_were_scored_ship(tmp_path: Path) -> None:
    _, told = trained(tmp_path, refit=False)
    assert ROWS not in told


def test_the_score_is_that_of_models_that_have_not_seen_the_holdout(tmp_path: Path) -> None:
    refitted, _ = trained(tmp_path, refit=True)
    first, _ = trained(tmp_path, refit=False)
    assert min(refitted, first) > 0.6  # there is nothing to learn but the rows themselves


@pytest.mark.parametrize("split", [{"time": "z"}, {"group": "z"}])
def test_splits_by_group_and_time_are_kept(tmp_path: Path, split: dict[str, str]) -> None:
    _, told = trained(tmp_path, refit=True, **split)
    assert told[ROWS] == "all 400"
