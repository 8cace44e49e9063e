"""Classes with too few rows to learn from and to judge by."""

from __future__ import annotations

import numpy as np

from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

FEW = 10


class RareClasses:
    """Finds classes of fewer than ten rows."""

    needs_target = True

    def run(self, context: CheckContext) -> list[Finding]:
        """Return one finding over all such classes, or none."""
        target = context.all_targets
        if target is None or target.task == "regression":
            return []
        values = target.values[~np.isnan(target.values)].astype(np.int64)
        counts = np.bincount(values, minlength=len(target.classes))
        rare = {target.classes[at]: int(counts[at]) for at in np.flatnonzero(counts < FEW)}
        if not rare:
            return []
        listed = ", ".join(f"'{label}' ({count})" for label, count in list(rare.items())[:5])
        return [
            Finding(
                check="rare_classes",
                where=f"target '{target.name}'",
                what=f"{len(rare)} classes have fewer than {FEW} rows: {listed}.",
                severity="warning",
                evidence={"classes": rare},
                remedy="Collect more rows of them, join them to another class, or remove them.",
            )
        ]


check = RareClasses()
