"""Whether texts come that training never met."""

from __future__ import annotations

from drivetrain.monitor.drift_test import Measured, Shape
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.proportions import compare_shares
from drivetrain.stats.sketch import ColumnSketch


class NewCategories:
    """Decides on categories that were few enough to be listed; one row of a hundred matters."""

    shapes: tuple[Shape, ...] = ("levels",)
    decides = True
    floor = 0.01

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare shares of unseen texts; the reference has none by its making."""
        was = reference.sketch
        if not window.present or not was.present:
            return None
        found = compare_shares(was.unseen, was.present, window.unseen, window.present)
        names = ", ".join(f"'{name[:40]}'" for name in window.examples)
        return Measured(
            effect=max(0.0, found.change),
            p_value=found.p_value,
            expected=found.expected,
            words=f"{found.now:.1%} of its cells are texts unseen in training: {names}",
        )


drift = NewCategories()
