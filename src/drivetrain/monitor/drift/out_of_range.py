"""Whether numbers come from outside the range of training."""

from __future__ import annotations

from drivetrain.monitor.drift_test import Measured, Shape, is_timeless
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.proportions import compare_shares
from drivetrain.stats.sketch import ColumnSketch


class OutOfRange:
    """Decides on numbers; one row of a hundred matters."""

    shapes: tuple[Shape, ...] = ("cuts",)
    decides = True
    floor = 0.01

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare shares outside the range."""
        was = reference.sketch
        if not window.present or not was.present or not is_timeless(reference):
            return None
        outside = window.below + window.above
        found = compare_shares(was.below + was.above, was.present, outside, window.present)
        return Measured(
            effect=max(0.0, found.change),
            p_value=found.p_value,
            expected=found.expected,
            words=f"{found.now:.1%} of its values lie outside training's range",
        )


drift = OutOfRange()
