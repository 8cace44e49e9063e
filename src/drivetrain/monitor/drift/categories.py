"""Whether rows fall otherwise over the categories: chi-square of two samples."""

from __future__ import annotations

import numpy as np

from drivetrain.monitor.drift.chi_square import compare_counts
from drivetrain.monitor.drift_test import Measured, Shape, pooled_counts
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.sketch import ColumnSketch, Levels


class Categories:
    """Decides on categories, booleans and predicted labels; rare ones are taken together."""

    shapes: tuple[Shape, ...] = ("levels",)
    decides = True
    floor = 0.1

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare counts over categories, and name the one that changed most."""
        counts = pooled_counts(reference, window)
        if counts is None or not isinstance(reference.bins, Levels):
            return None
        found = compare_counts(*counts)
        change = window.shares() - reference.sketch.shares()
        place = int(np.abs(change).argmax())
        name = [*reference.bins.names, "others"][place]
        was, now = reference.sketch.shares()[place], window.shares()[place]
        return Measured(
            effect=found.effect,
            p_value=found.p_value,
            expected=found.expected,
            words=f"'{name[:40]}' went from {was:.1%} to {now:.1%} of its rows",
        )


drift = Categories()
