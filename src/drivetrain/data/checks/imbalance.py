"""Severe imbalance between classes."""

from __future__ import annotations

import numpy as np

from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

SMALL, TINY = 0.05, 0.01


class Imbalance:
    """Finds a binary target whose smaller class is below 5 %, or a class that holds 95 %."""

    needs_target = True

    def run(self, context: CheckContext) -> list[Finding]:
        """Return one finding, or none."""
        target = context.all_targets
        if target is None or target.task == "regression":
            return []
        values = target.values[~np.isnan(target.values)].astype(np.int64)
        counts = np.bincount(values, minlength=len(target.classes))
        largest = int(counts.argmax())
        others = 1 - counts[largest] / counts.sum()
        if others >= SMALL:
            return []
        return [
            Finding(
                check="imbalance",
                where=f"target '{target.name}'",
                what=f"Class '{target.classes[largest]}' holds {1 - others:.1%} of the rows: "
                "always answering it would be right as often.",
                severity="warning" if others < TINY else "info",
                evidence={"largest": target.classes[largest], "others": round(float(others), 5)},
                remedy="Judge by AUC, average precision or F1, not by accuracy.",
            )
        ]


check = Imbalance()
