"""Columns that number or name rows, and so say nothing of a row that is new."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.contract import UNNAMED
from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

NEARLY_ALL = 0.95
FEWEST_ROWS = 50


class IdLike:
    """Finds categories and whole numbers of which nearly every row has its own, and counters."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each such column."""
        found: list[Finding] = []
        if context.rows < FEWEST_ROWS:
            return found
        for column in context.about("number", "category"):
            present = context.table.rows * (1 - column.missing_share)
            share = column.distinct / max(present, 1)
            if share < NEARLY_ALL or present < FEWEST_ROWS:
                continue
            if column.kind == "category":
                found.append(
                    _finding(column.name, share, "Nearly every row has a name of its own.")
                )
            elif column.integral:
                values = context.columns[column.name]
                what = _what_number(values, column.distinct, column.low, column.high)
                if what:
                    found.append(_finding(column.name, share, what))
        return found


def _what_number(
    values: FloatVector, distinct: int, low: float | None, high: float | None
) -> str | None:
    known = values[~np.isnan(values)]
    if bool(np.all(np.diff(known) > 0)) or bool(np.all(np.diff(known) < 0)):
        return "It counts the rows."
    if low is not None and high is not None and distinct >= 0.5 * (high - low + 1):
        # Measured numbers never fill their range one by one.
        return "It numbers the rows: every whole number of its range is there about once."
    return None


def _finding(name: str, share: float, what: str) -> Finding:
    """Return the finding; a column without a name is an index that was written along."""
    is_index = name.startswith(UNNAMED)
    return Finding(
        check="id_like",
        where=f"column '{name}'",
        what=what,
        severity="warning",
        evidence={"distinct_share": round(share, 4)},
        remedy="Write the table without its index."
        if is_index
        else f"Drop it unless new rows have the same values: --drop {name}",
        columns=(name,),
        leaves_out=is_index,
    )


check = IdLike()
