"""Whether more or fewer cells are missing than in the reference."""

from __future__ import annotations

from drivetrain.monitor.drift_test import Measured, Shape
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.proportions import compare_shares
from drivetrain.stats.sketch import ColumnSketch


class MissingRate:
    """Decides for every kind of column; two points of a hundred matter."""

    shapes: tuple[Shape, ...] = ("cuts", "levels")
    decides = True
    floor = 0.02

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare shares of missing cells."""
        was = reference.sketch
        if not window.rows or not was.rows:
            return None
        found = compare_shares(was.missing, was.rows, window.missing, window.rows)
        return Measured(
            effect=abs(found.change),
            p_value=found.p_value,
            expected=found.expected,
            words=f"missing cells went from {found.was:.1%} to {found.now:.1%}",
        )


drift = MissingRate()
