"""Columns of numbers that are written in a way that is not read as one."""

from __future__ import annotations

import re

from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

ENOUGH = 0.95  # of the distinct cells
FEWEST = 5  # distinct cells
_WHOLE = r"\d{1,3}"
_FORMS = (
    (
        "a currency sign",
        re.compile(r"^[-(]?\s?[$€£¥₹]\s?-?[\d.,' ]*\d\)?$|^-?[\d.,' ]*\d\s?[$€£¥₹]$"),
    ),
    ("a percent sign", re.compile(r"^[-+]?\d+([.,]\d+)?\s?%$")),
    ("thousands marked", re.compile(rf"^-?{_WHOLE}([,'\u00a0\u202f]\d{{3}})+([.,]\d+)?$")),
    ("a decimal comma", re.compile(r"^-?\d+,\d+$")),
    ("a unit", re.compile(r"^-?\d+([.,]\d+)?\s?(?P<unit>[a-zµ°]{1,4}[²³]?)$", re.IGNORECASE)),
)


class DisguisedNumbers:
    """Finds categories that are numbers with a currency, a percent sign, a unit, or commas."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each such column."""
        found = []
        for column in context.about():
            counts = context.spelled(column) if column.kind in ("category", "text") else None
            if counts is None:
                continue
            texts = sorted({text.strip() for text in counts} - {""})
            form = None if len(texts) < FEWEST else _form(texts)
            if form is not None:
                found.append(_finding(column.name, form, texts))
        return found


def _form(texts: list[str]) -> str | None:
    """Return how nearly all of the texts are written, where that is one of the known ways."""
    for words, pattern in _FORMS:
        matches = [pattern.match(text) for text in texts]
        hits = [match for match in matches if match is not None]
        units = {match.groupdict().get("unit") for match in hits}
        if len(hits) >= ENOUGH * len(texts) and len(units) == 1:
            return words
    return None


def _finding(name: str, form: str, texts: list[str]) -> Finding:
    return Finding(
        check="disguised_numbers",
        where=f"column '{name}'",
        what=f"The cells are numbers with {form}; they are read as categories, without an order.",
        severity="warning",
        evidence={"examples": texts[:4], "distinct": len(texts)},
        remedy="Write plain numbers with a decimal point, such as 1234.5, before training.",
        columns=(name,),
    )


check = DisguisedNumbers()
