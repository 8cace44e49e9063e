"""Columns in which numbers and other texts are mixed."""

from __future__ import annotations

from collections import Counter

from drivetrain.core.contract import Column
from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext
from drivetrain.runtime.cells import UnreadableCell, canonical, number_of

FEW, MANY = 0.02, 0.98
SHOWN = 4


class MixedTypes:
    """Finds texts of which some spell numbers, and cells that could not be read as the kind."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each such column."""
        found = []
        for column in context.about():
            coerced = column.policy.junk == "coerce"
            # Of what was read without junk there is nothing to tell, and texts are slow to count.
            spelled = context.spelled(column) if coerced or column.kind == "category" else None
            if spelled is None:
                continue
            counts = _shares(spelled, column)
            if counts is None:
                continue
            share, odd = counts
            if coerced:
                found.append(_coerced(column, share, odd))
            elif column.kind == "category" and FEW <= share <= MANY:
                found.append(_mixed(column, share, odd))
        return found


def _shares(counted: Counter[str], column: Column) -> tuple[float, list[str]] | None:
    """Return the share of cells that spell numbers, and the most frequent that do not."""
    missing = {"", *map(canonical, column.missing_values)}
    numbers = total = 0
    odd = []
    for cell, count in counted.most_common():
        text = _text(cell)
        if text in missing:
            continue
        total += count
        if number_of(text) is None:
            odd.append(text)
        else:
            numbers += count
    return (numbers / total, odd[:SHOWN]) if total else None


def _text(cell: str) -> str:
    try:
        return canonical(cell)
    except UnreadableCell:
        return cell


def _coerced(column: Column, share: float, odd: list[str]) -> Finding:
    return Finding(
        check="mixed_types",
        where=f"column '{column.name}'",
        what=f"Some cells cannot be read as {column.kind}; they are taken as missing.",
        severity="warning",
        evidence={"examples": odd, "numbers": round(share, 4)},
        remedy="Correct these cells, or list what means missing in missing_values.",
        columns=(column.name,),
    )


def _mixed(column: Column, share: float, odd: list[str]) -> Finding:
    return Finding(
        check="mixed_types",
        where=f"column '{column.name}'",
        what=f"{share:.1%} of the cells are numbers, the others are not; it is read as categories.",
        severity="warning",
        evidence={"numbers": round(share, 4), "examples": odd},
        remedy="If these texts mean missing, list them in missing_values; else split the column.",
        columns=(column.name,),
    )


check = MixedTypes()
