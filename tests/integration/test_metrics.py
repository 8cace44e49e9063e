"""Metrics that change what is learned, and one of the user's own, through the workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from drivetrain.lifecycle.train import train, train_model
from drivetrain.runtime.model import Model

OWN = '''
import numpy as np


def cost(y, probabilities, weight=None):
    """Five for a missed one, one for a false alarm."""
    said = probabilities[:, 1] >= 0.3
    return float(np.average(np.where(said, y == 0, 5 * (y == 1)), weights=weight))


cost.greater_is_better = False
cost.needs = "probability"
'''


def table(n: int = 400) -> pl.DataFrame:
    random = np.random.default_rng(0)
    x = random.normal(size=n)
    return pl.DataFrame(
        {
            "x": x,
            "z": random.normal(size=n),
            "bought": np.where(x + 0.5 * random.normal(size=n) > 0, "yes", "no"),
            "price": np.exp(3.0 + 1.5 * x + 0.3 * random.normal(size=n)),
        }
    )


def test_a_metric_of_the_user_s_own_is_found_by_workers_and_optimised(tmp_path: Path) -> None:
    file = tmp_path / "metrics.py"
    file.write_text(OWN)
    result = train(
        table().drop("price"), "bought", metric=f"{file}:cost", time_limit=15.0, trials=2, workers=2
    )
    assert result.metric == "cost"
    assert result.score < 0.5  # calling all of them costs one for each "no"


def test_relative_errors_are_learned_on_logs_and_undone_in_the_graph() -> None:
    frame = table().drop("bought")
    result = train(
        frame, "price", metric="rmsle", time_limit=15.0, trials=2, workers=2, refit=False
    )
    assert result.parity.max_abs_diff <= 1e-5
    recipes = Model.load(Path(result.bundle)).manifest.recipes
    assert any(recipe["target"] and recipe["target"]["kind"] == "log" for recipe in recipes)


def test_a_low_quantile_is_above_few_of_the_targets() -> None:
    frame = table(600).drop("bought")
    model = train_model(frame, "price", metric="pinball_10", time_limit=15.0, trials=1, workers=2)
    below = np.mean(frame["price"].to_numpy() < np.asarray(model.predict(frame)))
    assert 0.03 < below < 0.2
