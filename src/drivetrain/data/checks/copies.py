"""Columns that say the same thing in other words: each value of one goes with one of the other."""

from __future__ import annotations

import numpy as np

from drivetrain.core.contract import Column
from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

# Which of two copies stays: an ordered kind says more than a bare name.
_RANK = {"datetime": 0, "number": 1, "boolean": 2, "category": 3, "text": 4}
FEWEST_ROWS = 30  # in fewer, flags coincide by chance
FEW_VALUES = 32  # so few that a model tells them apart in any order


class Copies:
    """Finds groups of columns that are equal or map to each other one to one.

    A copy is left out where nothing is lost: both are names, or the order is the same, or the
    values are few. Latitudes and longitudes of a hundred places map to each other one to one, and
    both stay.
    """

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each copy; the first of the best kind is the original."""
        if context.rows < FEWEST_ROWS:
            return []
        groups: dict[bytes, list[Column]] = {}
        for column in context.about(*_RANK):
            if column.distinct < 2:
                continue
            groups.setdefault(context.key(column), []).append(column)
        found = []
        for columns in groups.values():
            if len(columns) > 1:
                original = _original(columns, context.keep)
                found += [_finding(original, c, context) for c in columns if c is not original]
        return found


def _original(columns: list[Column], keep: frozenset[str]) -> Column:
    return min(columns, key=lambda column: (column.name not in keep, _RANK[column.kind]))


def _is_lossless(original: Column, copy: Column, context: CheckContext) -> bool:
    names = ("category", "text")
    if max(original.distinct, copy.distinct) <= FEW_VALUES:
        return True
    if copy.kind in names or original.kind in names:
        return copy.kind in names and original.kind in names
    values, partners = context.columns[copy.name], context.columns[original.name]
    steps = np.diff(values[np.argsort(partners, kind="stable")].astype(np.float64))
    steps = steps[~np.isnan(steps)]
    return bool((steps >= 0).all() or (steps <= 0).all())


def _finding(original: Column, copy: Column, context: CheckContext) -> Finding:
    values = context.columns[copy.name].tolist()
    partners = context.columns[original.name].tolist()
    pairs = list(dict.fromkeys(zip(partners, values, strict=True)))
    examples = [f"{first} = {second}" for first, second in pairs[:3]]
    is_lossless = _is_lossless(original, copy, context)
    remedy = f"Nothing is lost without '{copy.name}'; keep both with --keep {copy.name}."
    if not is_lossless:
        remedy = f"Drop one of the two if their orders mean nothing: --drop {copy.name}"
    return Finding(
        check="copies",
        where=f"columns '{original.name}', '{copy.name}'",
        what=f"'{copy.name}' says in other words what '{original.name}' says.",
        severity="warning" if is_lossless else "info",
        evidence={
            "values": max(original.distinct, copy.distinct),
            "examples": examples,
            "rows": context.rows,
        },
        remedy=remedy,
        columns=(copy.name,),
        leaves_out=is_lossless,
    )


check = Copies()
