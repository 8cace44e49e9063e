"""Jensen-Shannon distance of the shares of bins, base 2: 0 is equal, 1 is nothing in common.

Eight ln 2 times the divergence is about the chi-square of the shares, which gives its p-value.
Source: Lin, doi:10.1109/18.61115; Endres and Schindelin, doi:10.1109/TIT.2003.813506.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.monitor.drift_test import Measured, Shape, is_timeless, pooled_counts
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.p_values import chi_square_tail
from drivetrain.stats.sketch import ColumnSketch


class JensenShannon:
    """Shows the distance that NannyML and Evidently show, from the divergence less its noise."""

    shapes: tuple[Shape, ...] = ("cuts", "levels")
    decides = False
    floor = 0.1

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare shares of bins."""
        counts = pooled_counts(reference, window) if is_timeless(reference) else None
        if counts is None:
            return None
        was, now = (side / side.sum() for side in counts)
        middle = (was + now) / 2
        divergence = (_relative(was, middle) + _relative(now, middle)) / 2
        per_row = 1 / counts[0].sum() + 1 / counts[1].sum()
        freedom = len(was) - 1
        noise = freedom * per_row / (8 * np.log(2))
        return Measured(
            effect=float(np.sqrt(max(0.0, divergence - noise))),
            p_value=chi_square_tail(8 * np.log(2) * divergence / per_row, freedom),
            expected=float(np.sqrt(noise)),
            words=f"Jensen-Shannon distance {float(np.sqrt(max(0.0, divergence))):.3f}",
        )


def _relative(share: FloatVector, middle: FloatVector) -> float:
    some = share > 0
    return float((share[some] * np.log2(share[some] / middle[some])).sum())


drift = JensenShannon()
