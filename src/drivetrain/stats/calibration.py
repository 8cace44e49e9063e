"""Calibration: whether rows given a probability of 0.7 are right seven times in ten."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatVector


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of like probability: what was promised and what came."""

    low: float  # smallest probability in the bin
    high: float  # greatest
    rows: int
    predicted: float  # mean probability
    observed: float  # share of rows where the event came
    observed_low: float  # 95 % Wilson interval of that share
    observed_high: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A reliability table and its summary."""

    event: str  # what the probability is of, in words
    error: float  # expected calibration error, 0 to 1: mean |predicted - observed| over the rows
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
    n = len(probability)
    order = np.argsort(probability, kind="stable")
    p, came = probability[order].astype(np.float64), event[order]
    wanted = np.linspace(0, n, min(bins, n) + 1).round().astype(np.int64)[1:-1]
    # Move each cut to the start of its run of equal probabilities.
    cuts = np.unique(np.searchsorted(p, p[wanted], side="left")) if len(wanted) else wanted
    edges = np.unique(np.concatenate(([0], cuts, [n])))
    table = []
    for start, end in pairwise(edges):
        rows = int(end - start)
        observed = float(came[start:end].mean())
        low, high = wilson(observed, rows)
        table.append(
            ReliabilityBin(
                low=float(p[start]),
                high=float(p[end - 1]),
                rows=rows,
                predicted=float(p[start:end].mean()),
                observed=observed,
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
    table = reliability(event, probability, bins=bins)
    gaps = np.array([abs(part.predicted - part.observed) for part in table])
    rows = np.array([part.rows for part in table])
    return Calibration(event=name, error=float(gaps @ rows / rows.sum()), bins=table)
