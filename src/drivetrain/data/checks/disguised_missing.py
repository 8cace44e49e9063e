"""Values that stand for "not known": -1, 999, -200, '?', 'unknown'."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.contract import Column
from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext
from drivetrain.data.kinds import PLACEHOLDERS

MEANS_NONE = frozenset({"none", "nil", "empty", "not applicable"})  # often an answer of its own
FEWEST = 5
SPIKE_SHARE = 0.001


class DisguisedMissing:
    """Finds placeholder texts, and numbers that stand alone at an end of their column."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each such column."""
        found = []
        for column in context.about("category"):
            texts = [text for text in column.categories or () if _is_placeholder(text)]
            if texts:
                found.append(_of_texts(column, texts, context))
        for column in context.about("number"):
            values = context.columns[column.name]
            for value, count in _lonely_ends(values[np.isfinite(values)]):
                found.append(_of_number(column.name, value, count, len(values)))
        return found


def _is_placeholder(text: str) -> bool:
    lower = text.lower()
    if lower in PLACEHOLDERS:
        return lower not in MEANS_NONE
    return bool(text) and not any(character.isalnum() for character in text)


def _lonely_ends(values: FloatVector) -> list[tuple[float, int]]:
    """Return values at either end that repeat and lie far off from all others.

    Far is half the width of all other values for a number that people write for missing (-1, or
    all nines), twice it for any other. An only negative number is far from numbers above 0.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 5:
        return []
    found = []
    for end, rest in ((0, distinct[1:]), (-1, distinct[:-1])):
        value, count = float(distinct[end]), int(counts[end])
        width = float(rest[-1] - rest[0])
        gap = float(rest[0] - value) if end == 0 else float(value - rest[-1])
        enough = count >= max(FEWEST, SPIKE_SHARE * len(values))
        others = counts[1:] if end == 0 else counts[:-1]
        repeats_more = count >= 2 * float(np.median(others))
        is_lone_negative = end == 0 and value == -1 and rest[0] >= 0
        is_far = gap >= (0.5 if _is_sentinel(value) else 2.0) * width
        if enough and (is_lone_negative or (repeats_more and is_far)):
            found.append((value, count))
    return found


def _is_sentinel(value: float) -> bool:
    if not value.is_integer():
        return False
    digits = str(abs(int(value)))
    return value == -1 or set(digits) == {"9"} or (value < 0 and digits[1:].strip("0") == "")


def _of_texts(column: Column, texts: list[str], context: CheckContext) -> Finding:
    values = context.columns[column.name]
    share = float(np.isin(values.astype(str), texts).mean())
    listed = ", ".join(f"'{text}'" for text in texts)
    return Finding(
        check="disguised_missing",
        where=f"column '{column.name}'",
        what=f"{listed} looks like a missing value ({share:.1%} of the rows).",
        severity="info" if share < 0.001 else "warning",
        evidence={"values": texts, "share": round(share, 5)},
        remedy=f"If it means missing, add {listed} to missing_values.",
        columns=(column.name,),
    )


def _of_number(name: str, value: float, count: int, rows: int) -> Finding:
    return Finding(
        check="disguised_missing",
        where=f"column '{name}'",
        what=f"{value:g} is in {count} rows and far from every other value.",
        severity="warning",
        evidence={"values": [f"{value:g}"], "share": round(count / rows, 5)},
        remedy=f"If it means missing, add '{value:g}' to missing_values.",
        columns=(name,),
    )


check = DisguisedMissing()
