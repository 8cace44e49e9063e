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
    weight: float = 0.0  # sum of the rows' weights, 1 each where they have none


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
    event: FloatVector,
    probability: FloatVector,
    *,
    bins: int = 10,
    weight: FloatVector | None = None,
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
    weight
        How much each row counts, shape (n,), > 0 in some row of every bin.
    """

    def bounds(came: FloatVector, counts: FloatVector) -> tuple[float, float]:
        return wilson(float(np.average(came, weights=counts)), _rows_worth(counts))

    return _table(event, probability, bins, bounds, weight)


def value_reliability(
    y: FloatVector,
    prediction: FloatVector,
    *,
    bins: int = 10,
    weight: FloatVector | None = None,
) -> tuple[ReliabilityBin, ...]:
    """Compare predicted with observed means of a value, in bins of about equal numbers of rows.

    ``low``, ``high`` and ``predicted`` are predictions; the interval of the observed mean is the
    normal one, 1.96 standard errors each way.
    """

    def bounds(values: FloatVector, counts: FloatVector) -> tuple[float, float]:
        mean, worth = float(np.average(values, weights=counts)), _rows_worth(counts)
        spread = float(np.average((values - mean) ** 2, weights=counts))
        error = float(np.sqrt(spread / (worth - 1))) if worth > 1 else 0.0
        return mean - 1.96 * error, mean + 1.96 * error

    return _table(y, prediction, bins, bounds, weight)


def _rows_worth(weight: FloatVector) -> float:
    """Return how many rows of equal weight say as much: Kish's effective sample size."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def _table(
    y: FloatVector,
    prediction: FloatVector,
    bins: int,
    bounds: Callable[[FloatVector, FloatVector], tuple[float, float]],
    weight: FloatVector | None,
) -> tuple[ReliabilityBin, ...]:
    if weight is not None:
        y, prediction, weight = y[weight > 0], prediction[weight > 0], weight[weight > 0]
    order = np.argsort(prediction, kind="stable")
    promised, came = prediction[order].astype(np.float64), y[order]
    counts = np.ones(len(y)) if weight is None else weight[order]
    table = []
    for start, end in pairwise(_bin_edges(promised, bins)):
        part = slice(start, end)
        low, high = bounds(came[part], counts[part])
        table.append(
            ReliabilityBin(
                low=float(promised[start]),
                high=float(promised[end - 1]),
                rows=end - start,
                predicted=float(np.average(promised[part], weights=counts[part])),
                observed=float(np.average(came[part], weights=counts[part])),
                weight=float(counts[part].sum()),
                observed_low=low,
                observed_high=high,
            )
        )
    return tuple(table)


def calibration(
    event: FloatVector,
    probability: FloatVector,
    *,
    name: str,
    bins: int = 10,
    weight: FloatVector | None = None,
) -> Calibration:
    """Return the reliability table and the expected calibration error.

    The error is positive even for a perfect model, about 0.8 sqrt(p (1 - p) bins / n).

    Source: Naeini et al., AAAI 2015 (with bins of equal numbers of rows).

    Examples
    --------
    >>> calibration(np.array([0.0, 1.0]), np.array([0.5, 0.5]), name="yes").error
    0.0
    """
    return _summary(name, reliability(event, probability, bins=bins, weight=weight))


def value_calibration(
    y: FloatVector,
    prediction: FloatVector,
    *,
    name: str,
    bins: int = 10,
    weight: FloatVector | None = None,
) -> Calibration:
    """Return the table of predicted against observed means; the error is in the target's unit."""
    return _summary(name, value_reliability(y, prediction, bins=bins, weight=weight))


def _summary(name: str, table: tuple[ReliabilityBin, ...]) -> Calibration:
    gaps = np.array([abs(part.predicted - part.observed) for part in table])
    counts = np.array([part.weight for part in table])
    return Calibration(event=name, error=float(gaps @ counts / counts.sum()), bins=table)
