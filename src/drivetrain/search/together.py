"""Rows whose cells are each usual, but not together, told from those of training.

Trees learn to tell rows of training from rows whose cells are drawn each from another row, so their
score is the logarithm of how much likelier a row is than if its columns had nothing to do with each
other (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 14.2.4). The least
score is chosen out of fold as a conformal p-value: a row like those of training is below it with a
probability of at most :data:`RATE`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import numpy as np

from drivetrain.core.arrays import Columns, FloatMatrix, FloatVector
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.extras.ranges import Ranges
from drivetrain.graph.extras.together import Together
from drivetrain.models.families.lightgbm import family
from drivetrain.models.family import Budget
from drivetrain.search.fit import load_family

RATE = 0.01  # share of rows like those of training that may be flagged by it
MOST_ROWS = 10_000  # of training to learn from
FEWEST_ROWS = 300  # of which the hundredth is some rows
FOLDS = 3
SCRAMBLED = 2  # rows made up for each of training
SURE = 3.0  # times RATE of the scrambled rows must be flagged, or it is not worth its time
PARAMETERS = {
    "rounds": 40, "num_leaves": 16, "learning_rate": 0.15, "feature_fraction": 1.0,
    "bagging_fraction": 1.0, "bagging_freq": 0, "lambda_l2": 0.0,
}  # fmt: skip


def find_together(ranges: Ranges, columns: Columns, *, seed: int = 0) -> tuple[Ranges, str]:
    """Add to ranges what tells unlike rows from the cells together, where that tells any.

    Returns
    -------
    tuple
        The ranges, and what came of it, in a sentence.
    """
    rng = np.random.default_rng(seed)
    X = ranges.features(_some(columns, rng))
    known = np.array([True] * len(ranges.numbers) + [one is not None for one in ranges.levels])
    told = known & (np.array([len(np.unique(cells[~np.isnan(cells)])) for cells in X.T]) > 1)
    if len(X) < FEWEST_ROWS or told.sum() < 2:
        return ranges, "Cells are not looked at together: there are too few rows or columns."
    X[:, ~told] = 0.0
    fold = rng.permutation(len(X)) % FOLDS
    scores, scrambled = np.zeros(len(X)), np.zeros(len(X))
    for number in range(FOLDS):
        judge = fold == number
        found = Together(_fitted(X[~judge], rng, seed), -math.inf)
        scores[judge] = found.scores(X[judge])
        scrambled[judge] = found.scores(_scrambled(X[judge], X, rng))
    least = float(np.sort(scores)[math.floor(RATE * (len(X) + 1)) - 1])
    power = float((scrambled < least).mean())
    if power < SURE * RATE:
        return ranges, "Cells are not looked at together: columns tell little of each other."
    together = Together(_fitted(X, rng, seed), least)
    return replace(ranges, together=together), (
        f"Cells that are each usual but not together flag it too: {RATE:.0%} of rows like those "
        f"of training, and {power:.0%} of rows whose cells are drawn each from another row."
    )


def _some(columns: Columns, rng: np.random.Generator) -> Columns:
    rows = len(next(iter(columns.values())))
    if rows <= MOST_ROWS:
        return columns
    chosen = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    return {name: cells[chosen] for name, cells in columns.items()}


def _scrambled(X: FloatMatrix, source: FloatMatrix, rng: np.random.Generator) -> FloatMatrix:
    """Return as many rows, each cell of another row of the source."""
    places = rng.integers(0, len(source), X.shape)
    return np.asarray(np.take_along_axis(source, places, axis=0))


def _fitted(X: FloatMatrix, rng: np.random.Generator, seed: int) -> Trees:
    """Fit trees that tell rows from scrambled ones."""
    load_family("lightgbm")
    rows = np.concatenate([X, *(_scrambled(X, X, rng) for _ in range(SCRAMBLED))])
    is_real: FloatVector = (np.arange(len(rows)) < len(X)).astype(np.float64)
    smallest = {"min_data_in_leaf": int(np.clip(len(X) // 100, 5, 100))}
    fitted = family.fit(
        rows.astype(np.float32), is_real, task="binary", classes=2, metric="log_loss", weight=None,
        validation=None, parameters={**PARAMETERS, **smallest},
        budget=Budget(remaining_s=lambda: math.inf), seed=seed,
    )  # fmt: skip
    return cast(Trees, fitted.blocks()[0])
