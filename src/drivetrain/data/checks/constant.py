"""Columns that say nothing: one value in every row, or nearly."""

from __future__ import annotations

import numpy as np

from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

NEARLY = 0.999


class Constant:
    """Finds columns of one value (left out) and of one value in 99.9 % of the rows."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each such column."""
        found = []
        for column in context.about("number", "boolean", "category", "text", "datetime"):
            is_whole = column.missing_share in (0.0, 1.0)
            if column.distinct <= 1 and is_whole:
                found.append(_constant(column.name, column.missing_share))
                continue
            codes, count = context.codes(column)
            share = float(np.bincount(codes, minlength=count).max()) / len(codes)
            if share >= NEARLY and column.missing_share < NEARLY:
                found.append(_nearly(column.name, share))
        return found


def _constant(name: str, missing_share: float) -> Finding:
    what = "Every cell is missing." if missing_share else "Every row has the same value."
    return Finding(
        check="constant",
        where=f"column '{name}'",
        what=what,
        severity="warning",
        evidence={"distinct": 0 if missing_share else 1},
        remedy="Remove the column, or find out why it does not vary.",
        columns=(name,),
        leaves_out=True,
    )


def _nearly(name: str, share: float) -> Finding:
    return Finding(
        check="constant",
        where=f"column '{name}'",
        what=f"One value or narrow range holds {share:.2%} of the rows.",
        severity="info",
        evidence={"share": round(share, 5)},
        remedy="Check that the column is filled where it should be.",
        columns=(name,),
    )


check = Constant()
