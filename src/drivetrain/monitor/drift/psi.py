"""Population stability index over the bins, the expectation of chance alone taken off.

Sum of (c - r) ln(c / r). Without drift it is about (bins - 1)(1/n + 1/m), which at n = 200 and ten
bins is 0.045: a fixed limit of 0.1 would cry wolf on small windows. Empty bins count as half a row.
Source: Yurdakul, Statistical properties of population stability index (2018).
"""

from __future__ import annotations

import numpy as np

from drivetrain.monitor.drift_test import Measured, Shape, is_timeless, pooled_counts
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.p_values import chi_square_tail
from drivetrain.stats.sketch import ColumnSketch


class PopulationStability:
    """Shows PSI; 0.1 is often called moderate and 0.25 large."""

    shapes: tuple[Shape, ...] = ("cuts", "levels")
    decides = False
    floor = 0.1

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare shares of bins."""
        counts = pooled_counts(reference, window) if is_timeless(reference) else None
        if counts is None:
            return None
        was, now = (np.maximum(side, 0.5) / side.sum() for side in counts)
        index = float(((now - was) * np.log(now / was)).sum())
        per_row = 1 / counts[0].sum() + 1 / counts[1].sum()
        freedom = len(was) - 1
        return Measured(
            effect=max(0.0, index - freedom * per_row),
            p_value=chi_square_tail(index / per_row, freedom),
            expected=freedom * per_row,
            words=f"population stability index {index:.3f}",
        )


drift = PopulationStability()
