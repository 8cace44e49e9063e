"""Resamples of rows that are not alone: stretches of a series, or whole groups.

Rows beside each other in time err alike, and so do rows of one customer. Drawn one by one they
pretend to be more than they are, and every interval is too narrow. Drawn in blocks as long as the
likeness lasts, or group by group, they are not.

Source: Politis and White, Automatic block-length selection for the dependent bootstrap,
Econometric Reviews 23 (2004), with the correction of Patton, Politis and White (2009); circular
blocks as in Politis and Romano (1992).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from drivetrain.core.arrays import Array, FloatVector

QUIET_LAGS = 5  # so many lags without correlation end the likeness
LEAST_BLOCKS = 10  # fewer of them say nothing of their spread


def block_length(series: FloatVector) -> int:
    """Return how many rows a block needs for what one row has in common with the next; 1 for none.

    Parameters
    ----------
    series
        What is averaged, such as the difference of two losses, in its order of time, shape (n,).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=2000)
    >>> block_length(noise), block_length(np.repeat(noise[:100], 20)) > 10
    (1, True)
    """
    rows = len(series)
    centred = series - series.mean()
    variance = float(np.einsum("i,i->", centred, centred)) / max(rows, 1)
    if rows < 2 * LEAST_BLOCKS or not variance > 0:
        return 1
    lags = min(rows // 3, math.ceil(math.sqrt(rows)) + QUIET_LAGS)
    covariances = np.array([float(np.einsum("i,i->", centred[k:], centred[: rows - k])) / rows
                            for k in range(lags + 1)])  # fmt: skip
    last = _last_alike(np.abs(covariances / variance), 2 * math.sqrt(math.log10(rows) / rows))
    if not last:
        return 1
    reach = min(2 * last, lags)
    k = np.arange(1, reach + 1)
    taper = np.minimum(1.0, 2 * (1 - k / reach))  # flat, then linear to 0
    slope = 2 * float((taper * k * covariances[1 : reach + 1]).sum())
    spectrum = variance + 2 * float((taper * covariances[1 : reach + 1]).sum())
    if spectrum <= 0 or slope <= 0:
        return 1
    length = (2 * slope**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * rows ** (1 / 3)
    return int(max(1, min(math.ceil(length), rows // LEAST_BLOCKS)))


def _last_alike(correlations: FloatVector, least: float) -> int:
    """Return the last lag before QUIET_LAGS in a row that are not alike."""
    alike = correlations[1:] > least
    for lag in range(len(alike) + 1):
        if not alike[lag : lag + QUIET_LAGS].any():
            return lag
    return len(alike)


def block_weights(rows: int, length: int, *, resamples: int, seed: int) -> Iterator[FloatVector]:
    """Yield how often each row is drawn in blocks, float64 (rows,), once for each resample."""
    random = np.random.default_rng(seed)
    blocks = math.ceil(rows / length)
    for _ in range(resamples):
        starts = random.integers(0, rows, blocks)
        drawn = (starts[:, None] + np.arange(length)).ravel()[:rows] % rows
        yield np.bincount(drawn, minlength=rows).astype(np.float64)


def group_weights(group: Array, *, resamples: int, seed: int) -> Iterator[FloatVector]:
    """Yield how often each row is drawn where groups are drawn whole, float64 (n,).

    Parameters
    ----------
    group
        Key of each row, shape (n,).
    """
    random = np.random.default_rng(seed)
    keys, member = np.unique(group, return_inverse=True)
    for _ in range(resamples):
        drawn = np.bincount(random.integers(0, len(keys), len(keys)), minlength=len(keys))
        yield drawn[member.reshape(-1)].astype(np.float64)
