"""Permutation importance: how much worse the graph scores when a column no longer tells anything.

A column's cells are dealt out anew among the rows and the rows are scored again. What the score
loses is what the model owes to that column, alone: columns that copy each other stand in for one
another, and both look unimportant.

Source: Breiman, Random Forests, Machine Learning 45 (2001), section 10.
"""

from __future__ import annotations

import msgspec
import numpy as np

from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Contract, Target
from drivetrain.evaluate.answers import Runs, ask
from drivetrain.runtime.explain.quantity import count_rows
from drivetrain.stats.intervals import resample_weights, resampled_scores
from drivetrain.stats.metric import Metric, Weighted

DRAWS = 200  # resamples of the rows, shared among the shuffles


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """What the main metric loses when one column is shuffled; > 0: the model uses the column."""

    column: str
    drop: float  # mean over the shuffles, in units of the metric
    low: float  # 95 % interval over shuffles and resamples of the rows
    high: float


def permutation_importance(
    model: Runs,
    contract: Contract,
    columns: Columns,
    y: FloatVector,
    *,
    target: Target,
    metric: Metric,
    repeats: int = 5,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Rank columns by what the metric loses without each, the most important first.

    Each shuffle is scored on the rows and on resamples of them, so that the interval holds what
    comes of the shuffle and of the choice of the rows; both sides of a difference are scored in
    the same resample.

    Parameters
    ----------
    columns, y
        Typed columns and targets of n rows that the model has not seen, n >= 2.
    metric
        Defined on these rows.
    repeats
        Shuffles of each column, >= 1. The graph runs over the rows once for each.
    """
    random = np.random.default_rng(seed)
    orders = [random.permutation(count_rows(columns)) for _ in range(repeats)]
    stratify = target.task != "regression"
    resamples = max(2, -(-DRAWS // repeats))
    draws = np.array(list(resample_weights(y, stratify=stratify, resamples=resamples, seed=seed)))
    ones = np.ones(len(y))

    def scores(changed: Columns) -> FloatVector:
        """Return the score of the rows, then of each resample."""
        scorer: Weighted = metric.scorer(y, ask(model, target, changed).read_by(metric))
        drawn = resampled_scores([scorer], ones, iter(draws))[0]
        return np.concatenate([[scorer(ones)], drawn])

    whole = scores(columns)
    sign = 1.0 if metric.greater_is_better else -1.0
    found = []
    for name in contract.names:
        shuffled = [scores({**columns, name: columns[name][order]}) for order in orders]
        drops = sign * (whole - np.array(shuffled))  # [repeats, 1 + resamples]
        defined = drops[:, 1:][~np.isnan(drops[:, 1:])]
        low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
        mean = float(drops[:, 0].mean())
        found.append(Importance(column=name, drop=mean, low=float(low), high=float(high)))
    return tuple(sorted(found, key=lambda each: (-each.drop, each.column)))
