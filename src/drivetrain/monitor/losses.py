"""Where a regression errs: the expected loss of a row as a sum over its columns' bins.

A table for each column, fitted by cyclic shrunken steps on held-out rows, says how much more or
less than usual the model errs in each bin. The mean of a sum is the sum of the means, so the
expected loss of a window needs nothing but the counts over bins that drift tests read anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatVector, IndexVector
from drivetrain.stats.sketch import ColumnSketch

SHRINK_ROWS = 30.0  # a bin of fewer rows moves less than half of what it saw
_PASSES = 12
_RATE = 0.5


class LossTable(msgspec.Struct, frozen=True, kw_only=True):
    """Expected loss: ``mean`` plus, for each column, the entry of its slot.

    A column's slots are its bins and, last, missing. ``spread`` is the standard deviation of what
    the table leaves unexplained, over ``rows`` held-out rows.
    """

    mean: float
    spread: float
    rows: int
    slots: dict[str, tuple[float, ...]]

    def estimate(
        self, reference: Mapping[str, ColumnSketch], window: Mapping[str, ColumnSketch]
    ) -> tuple[float, float]:
        """Return the expected mean loss of a window, and its standard error.

        Both the chance of which rows came and what the tables do not know are in the error: a
        window in bins that few held-out rows were in is estimated with a wide one.
        """
        rows = max((sketch.rows for sketch in window.values()), default=0)
        mean, variance = self.mean, self.spread**2 * (1 / max(1, rows) + 1 / max(1, self.rows))
        for name, table in self.slots.items():
            if name not in window or not window[name].rows:
                continue
            was, now = slot_shares(reference[name]), slot_shares(window[name])
            mean += float(now @ np.array(table))
            seen = was * self.rows + SHRINK_ROWS / 10
            noise = was * (1 / window[name].rows + 1 / self.rows)
            moved = np.clip((now - was) ** 2 - noise, 0.0, None)
            variance += float(self.spread**2 * (moved / seen).sum())
        return max(0.0, mean), float(np.sqrt(variance))


def slot_shares(sketch: ColumnSketch) -> FloatVector:
    """Share of each slot, the bins and then missing, among all rows."""
    counts = np.array([*sketch.counts, sketch.missing], dtype=np.float64)
    shares: FloatVector = counts / max(1.0, counts.sum())
    return shares


def fit_losses(
    loss: FloatVector, slots: Mapping[str, IndexVector], sizes: Mapping[str, int]
) -> LossTable:
    """Fit the tables.

    Parameters
    ----------
    loss
        Of each held-out row, shape (n,), n >= 1.
    slots
        Slot of each row by column, each (n,).
    sizes
        Number of slots by column.
    """
    mean = float(loss.mean())
    left = loss - mean
    tables = {name: np.zeros(size) for name, size in sizes.items()}
    counted = {name: np.bincount(slots[name], minlength=sizes[name]) for name in sizes}
    for _ in range(_PASSES):
        for name, table in tables.items():
            sums = np.bincount(slots[name], weights=left, minlength=sizes[name])
            step = _RATE * sums / (counted[name] + SHRINK_ROWS)
            table += step
            left = left - step[slots[name]]
    return LossTable(
        mean=float(f"{mean + float(left.mean()):.9g}"),
        spread=float(f"{float(left.std()):.9g}"),
        rows=len(loss),
        slots={name: short(table) for name, table in tables.items()},
    )


def short(values: Sequence[float] | FloatVector) -> tuple[float, ...]:
    """Round to five significant digits, which is far finer than what is known."""
    return tuple(float(f"{value:.5g}") for value in values)
