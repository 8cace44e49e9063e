"""Whether rows still lie near the reference's main components: their mean squared distance.

The distance's mean follows from the window's sums of products alone, its spread is kept in the
reference, so the test needs no row. Source: the test that NannyML calls data reconstruction error.
"""

from __future__ import annotations

import numpy as np

from drivetrain.monitor.drift_test import Measured, Shape
from drivetrain.monitor.joint import JointReference
from drivetrain.stats.joint_sketch import JointSketch
from drivetrain.stats.p_values import two_sided


class Reconstruction:
    """Decides; the effect is the change of the distance in its own standard deviations."""

    shapes: tuple[Shape, ...] = ("joint",)
    decides = True
    floor = 0.2

    def run(self, reference: JointReference, window: JointSketch) -> Measured | None:
        """Compare mean distances."""
        if reference.error_spread <= 0 or not window.rows:
            return None
        if len(window.total) != len(reference.columns):
            return None
        mean = float(np.sum(reference.residual() * window.products)) / window.rows
        change = (mean - reference.error_mean) / reference.error_spread
        per_row = 1 / window.rows + 1 / reference.rows
        return Measured(
            effect=abs(change),
            p_value=two_sided(change / float(np.sqrt(per_row))),
            expected=float(np.sqrt(2 / np.pi * per_row)),
            words=f"rows lie {'further from' if change > 0 else 'closer to'} the patterns of "
            f"training (by {abs(change):.2f} standard deviations)",
        )


drift = Reconstruction()
