"""Calibration: whether rows given a probability of 0.7 are right seven times in ten."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatVector


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of like prediction: what was promised and what came."""

    low: float  # smallest prediction in the bin
    high: float  # greatest
    rows: int
    predicted: float  # mean prediction: a probability, or a value
    observed: float  # share of rows where the event came, or the mean value
    observed_low: float  # 95 % interval of what was observed
    observed_high: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A reliability table and its summary."""

    event: str  # what the prediction is of, in words
    error: float  # expected calibration error: mean |predicted - observed| over the rows
    bins: tuple[ReliabilityBin, ...]


def wilson(share: float, rows: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Bound a share seen in ``rows`` rows by Wilson's interval; (0, 1) without rows.

    Source: Wilson, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> low, high = wilson(0.0, 10)
    >>> low, round(high, 3)
    (0.0, 0.278)
    """
    if rows <= 0:
        return 0.0, 1.0
    centre = share + z * z / (2 * rows)
    spread = z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return float(max(0.0, (centre - spread) / scale)), float(min(1.0, (centre + spread) / scale))


def _bin_edges(ordered: FloatVector, bins: int) -> list[int]:
    """Return the row numbers that bound bins of about equal size; equal values stay together."""
    n = len(ordered)
    wanted = np.linspace(0, n, min(bins, n) + 1).round().astype(np.int64)[1:-1]
    # Each cut moves to the start of its run of equal values.
    cuts = np.searchsorted(ordered, ordered[wanted], side="left").tolist()
    return sorted({0, *cuts, n})


def reliability(
    event: FloatVector, probability: FloatVector, *, bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Compare promised with observed frequencies in bins of about equal numbers of rows.

    Parameters
    ----------
    event
        1 where it came, else 0, shape (n,), n >= 1.
    probability
        Promised, shape (n,). Equal probabilities are never split between bins.
    bins
        Wanted, >= 1; fewer come back where probabilities are equal.
    """

    def bounds(came: FloatVector) -> tuple[float, float]:
        return wilson(float(came.mean()), len(came))

    return _table(event, probability, bins, bounds)


def value_reliability(
    y: FloatVector, prediction: FloatVector, *, bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Compare predicted with observed means of a value, in bins of about equal numbers of rows.

    ``low``, ``high`` and ``predicted`` are predictions; the interval of the observed mean is the
    normal one, 1.96 standard errors each way.
    """

    def bounds(values: FloatVector) -> tuple[float, float]:
        error = float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0
        return float(values.mean() - 1.96 * error), float(values.mean() + 1.96 * error)

    return _table(y, prediction, bins, bounds)


def _table(
    y: FloatVector,
    prediction: FloatVector,
    bins: int,
    bounds: Callable[[FloatVector], tuple[float, float]],
) -> tuple[ReliabilityBin, ...]:
    order = np.argsort(prediction, kind="stable")
    promised, came = prediction[order].astype(np.float64), y[order]
    table = []
    for start, end in pairwise(_bin_edges(promised, bins)):
        low, high = bounds(came[start:end])
        table.append(
            ReliabilityBin(
                low=float(promised[start]),
                high=float(promised[end - 1]),
                rows=end - start,
                predicted=float(promised[start:end].mean()),
                observed=float(came[start:end].mean()),
                observed_low=low,
                observed_high=high,
            )
        )
    return tuple(table)


def calibration(
    event: FloatVector, probability: FloatVector, *, name: str, bins: int = 10
) -> Calibration:
    """Return the reliability table and the expected calibration error.

    The error is positive even for a perfect model, about 0.8 sqrt(p (1 - p) bins / n).

    Source: Naeini et al., AAAI 2015 (with bins of equal numbers of rows).

    Examples
    --------
    >>> calibration(np.array([0.0, 1.0]), np.array([0.5, 0.5]), name="yes").error
    0.0
    """
    return _summary(name, reliability(event, probability, bins=bins))


def value_calibration(
    y: FloatVector, prediction: FloatVector, *, name: str, bins: int = 10
) -> Calibration:
    """Return the table of predicted against observed means; the error is in the target's unit."""
    return _summary(name, value_reliability(y, prediction, bins=bins))


def _summary(name: str, table: tuple[ReliabilityBin, ...]) -> Calibration:
    gaps = np.array([abs(part.predicted - part.observed) for part in table])
    rows = np.array([part.rows for part in table])
    return Calibration(event=name, error=float(gaps @ rows / rows.sum()), bins=table)
