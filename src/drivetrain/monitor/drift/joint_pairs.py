"""Whether two columns no longer move together as they did: their correlation, pair by pair.

Each pair's correlation is compared with the reference's by a normal test, whose spread the
reference keeps; the smallest p-value is multiplied by the number of pairs (Bonferroni).
"""

from __future__ import annotations

import numpy as np

from drivetrain.monitor.drift_test import Measured, Shape
from drivetrain.monitor.joint import JointReference
from drivetrain.stats.joint_sketch import JointSketch
from drivetrain.stats.p_values import two_sided


class JointPairs:
    """Decides; finds what no test of single columns sees, and names the pair."""

    shapes: tuple[Shape, ...] = ("joint",)
    decides = True
    floor = 0.1

    def run(self, reference: JointReference, window: JointSketch) -> Measured | None:
        """Compare correlations."""
        d = len(reference.columns)
        if d < 2 or window.rows < 2 or len(window.total) != d:
            return None
        upper = np.triu_indices(d, 1)
        was = np.array(reference.correlations)
        now = window.correlations()[upper]
        spread = np.maximum(np.array(reference.spreads), 0.1)
        z = (now - was) / (spread * np.sqrt(1 / window.rows + 1 / reference.rows))
        place = int(np.abs(z).argmax())
        first, second = (reference.columns[int(side[place])] for side in upper)
        return Measured(
            effect=float(abs(now[place] - was[place])),
            p_value=min(1.0, two_sided(float(z[place])) * len(was)),
            expected=float(np.sqrt(1 / window.rows + 1 / reference.rows)),
            words=f"the correlation of '{first}' and '{second}' went from {was[place]:.2f} to "
            f"{now[place]:.2f}",
            columns=(first, second),
        )


drift = JointPairs()
