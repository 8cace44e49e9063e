"""Quality with labels: the metric over the rows of a window whose labels have come."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.contract import Target
from drivetrain.monitor.subjects import class_numbers
from drivetrain.monitor.watched import Realised
from drivetrain.stats.intervals import bootstrap_interval
from drivetrain.stats.metric import Metric

FEWEST_LABELS = 50
_RESAMPLES = 200


def realise(
    target: Target, metric: Metric, y: FloatVector, answer: Array, predicted: Array, *, rows: int
) -> Realised | None:
    """Score the labelled rows of a window; None with too few of them.

    Parameters
    ----------
    y
        Class numbers or values, shape (n,).
    answer
        Probabilities (n, K) or values (n,).
    predicted
        Labels as they were answered, by the model's own threshold, shape (n,).
    rows
        Of the window, labelled or not.
    """
    if len(y) < FEWEST_LABELS:
        return None
    given = answer
    if metric.needs == "label":
        given = class_numbers(target, predicted).astype(np.float64)
    found = bootstrap_interval(metric, y, given, resamples=_RESAMPLES, seed=0)
    if np.isnan(found.score):
        return None
    return Realised(
        metric=metric.name, score=found.score, low=found.low, high=found.high, rows=len(y),
        share=len(y) / max(1, rows),
    )  # fmt: skip
