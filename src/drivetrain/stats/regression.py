"""Metrics of values."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.errors import SettingError, Value
from drivetrain.stats.metric import Prepare, Weighted, dot, weighted_mean


def rmse(y: FloatVector, prediction: Array) -> Weighted:
    """Root of the mean squared error, 0 up, in the target's unit. Less is better.

    Large errors weigh most; the conditional mean minimises it.
    """
    mean_square = weighted_mean((y - prediction) ** 2)
    return lambda weight: float(np.sqrt(mean_square(weight)))


def mae(y: FloatVector, prediction: Array) -> Weighted:
    """Mean absolute error, 0 up, in the target's unit. Less is better; the median minimises it."""
    return weighted_mean(np.abs(y - prediction))


def mape(y: FloatVector, prediction: Array) -> Weighted:
    """Mean absolute error relative to the truth, 0 up; 0.1 is ten percent. Less is better.

    Explodes where the truth is near 0 (the divisor is at least 2.2e-16), and prefers predictions
    that are too low.
    """
    return weighted_mean(np.abs(y - prediction) / np.maximum(np.abs(y), np.finfo(np.float64).eps))


def rmsle(y: FloatVector, prediction: Array) -> Weighted:
    """Root mean squared error of ln(1 + value), 0 up: relative errors, for targets >= 0.

    A negative prediction counts as 0. Less is better.

    Raises
    ------
    SettingError
        If ``y`` holds a negative value.
    """
    if len(y) and float(y.min()) < 0:
        raise SettingError(
            where="metric 'rmsle'",
            expected="a target without negative values",
            got=Value(float(y.min())),
            remedy="Choose rmse or mae.",
            code="DT263",
        )
    return rmse(np.log1p(y), np.log1p(np.maximum(prediction, 0.0)))


def r2(y: FloatVector, prediction: Array) -> Weighted:
    """Share of the target's variance that is explained, up to 1; 0 is the mean. Greater is better.

    A constant target scores 1 if it is met exactly, else 0.
    """
    squares = (y - prediction) ** 2

    def score(weight: FloatVector) -> float:
        if not weight.any():
            return float("nan")
        residual = dot(weight, squares)
        centre = dot(weight, y) / float(weight.sum())
        total = dot(weight, (y - centre) ** 2)
        if total == 0:
            return 1.0 if residual == 0 else 0.0
        return 1 - residual / total

    return score


def pinball(quantile: float) -> Prepare:
    """Return the pinball loss of one quantile, 0 < ``quantile`` < 1.

    Source: Koenker and Bassett, doi:10.2307/1913643.
    """

    def loss(y: FloatVector, prediction: Array) -> Weighted:
        above = y - prediction
        return weighted_mean(np.maximum(quantile * above, (quantile - 1) * above))

    loss.__doc__ = (
        f"Pinball loss of the {100 * quantile:g} % quantile, 0 up, in the target's unit. "
        "Less is better."
    )
    return loss
