"""What a family minimises for the metric asked for, where its usual loss would miss it."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.contract import Task


def quantile_of(metric: str) -> float | None:
    """Return the quantile of the target that is best for a metric; None where it is the mean.

    Examples
    --------
    >>> quantile_of("mae"), quantile_of("pinball_90"), quantile_of("rmse")
    (0.5, 0.9, None)
    """
    if metric in ("mae", "mape"):
        return 0.5
    word, _, percent = metric.partition("pinball_")
    return None if word or not percent else float(percent) / 100


def is_relative(metric: str) -> bool:
    """Tell whether errors count in proportion to the target."""
    return metric == "mape"


def standard_of(
    y: FloatVector, task: Task, weight: FloatVector | None = None
) -> tuple[float, float]:
    """Return what is taken off a regression's target, and what it is then divided by.

    For libraries that hold labels in float32; classes stay as they are.

    Examples
    --------
    >>> standard_of(np.array([1.0, 3.0]), "regression")
    (2.0, 1.0)
    """
    if task != "regression":
        return 0.0, 1.0
    return float(np.average(y, weights=weight)), float(np.std(y)) or 1.0
