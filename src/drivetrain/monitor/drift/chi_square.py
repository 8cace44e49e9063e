"""Whether rows fall otherwise over the bins of a number: chi-square of two samples.

The effect is Cohen's w of the shares, what chance alone gives taken off; 0.1 is small, 0.3 medium.
Source: Cohen, Statistical Power Analysis (1988), ch. 7; Press et al., Numerical Recipes, 14.3.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.monitor.drift_test import Measured, Shape, is_timeless, pooled_counts
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.p_values import chi_square_tail
from drivetrain.stats.sketch import ColumnSketch


class ChiSquare:
    """Decides on numbers: fixed bins, sensitive to any change of shape."""

    shapes: tuple[Shape, ...] = ("cuts",)
    decides = True
    floor = 0.1

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare counts over bins."""
        counts = pooled_counts(reference, window) if is_timeless(reference) else None
        return None if counts is None else compare_counts(*counts)


def compare_counts(was: FloatVector, now: FloatVector) -> Measured:
    """Test whether two rows of counts come from the same shares.

    Examples
    --------
    >>> compare_counts(np.array([50.0, 50.0]), np.array([50.0, 50.0])).p_value
    1.0
    """
    n, m = now.sum(), was.sum()
    statistic = float(((np.sqrt(m / n) * now - np.sqrt(n / m) * was) ** 2 / (now + was)).sum())
    freedom = len(was) - 1
    per_row = 1 / n + 1 / m
    expected = freedom * per_row
    effect = float(np.sqrt(max(0.0, statistic * per_row - expected)))
    return Measured(
        effect=effect,
        p_value=chi_square_tail(statistic, freedom),
        expected=float(np.sqrt(expected)),
        words=f"rows fall otherwise over its bins (Cohen's w {effect:.2f})",
    )


drift = ChiSquare()
