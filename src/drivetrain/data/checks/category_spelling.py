"""Categories that may be one category spelled in several ways."""

from __future__ import annotations

from collections import Counter

from drivetrain.core.contract import Column
from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

LONG_ENOUGH = 6  # characters: shorter names differ by a letter for good reasons
RARER = 20  # a slip is so many times rarer than what was meant
SHOWN = 5


class CategorySpelling:
    """Finds categories that differ in case, spaces or punctuation, or by one slip of the pen."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each column with such categories."""
        found = []
        for column in context.about("category"):
            counts = Counter(context.columns[column.name].tolist())
            counts.pop("", None)
            same = _same_but_for_form(counts)
            if same:
                found.append(_of_form(column, same))
            slips = _slips(counts)
            if slips:
                found.append(_of_slips(column, slips))
        return found


def _same_but_for_form(counts: Counter[str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for text in counts:
        if any(character.isalpha() for character in text):
            form = "".join(c for c in text.casefold() if not c.isspace() and c not in "_-.'")
            groups.setdefault(form, []).append(text)
    return [
        sorted(texts, key=lambda t: (-counts[t], t)) for texts in groups.values() if len(texts) > 1
    ]


def _slips(counts: Counter[str]) -> list[tuple[str, str]]:
    """Return (rare, frequent) pairs at one letter's insertion, loss, change or swap.

    Two texts at one edit share a form with at most one letter taken out, so only those that do
    are compared.
    """
    forms: dict[str, list[str]] = {}
    for text in counts:
        if len(text) >= LONG_ENOUGH and not any(c.isdigit() for c in text):
            for form in {text, *(text[:at] + text[at + 1 :] for at in range(len(text)))}:
                forms.setdefault(form, []).append(text)
    pairs = {}
    for texts in forms.values():
        if len(texts) < 2:
            continue
        texts = sorted(texts, key=lambda t: -counts[t])
        for rare in texts[1:]:
            is_rarer = counts[texts[0]] >= RARER * counts[rare]
            if is_rarer and _differs_in_long_word(rare, texts[0]):
                pairs[rare] = texts[0]
    return sorted(pairs.items())


def _differs_in_long_word(first: str, second: str) -> bool:
    """Tell whether the difference is within a word, and not 'Officer II' and 'Officer III'."""
    words, others = first.casefold().split(), second.casefold().split()
    if len(words) != len(others):
        return False
    differing = [(a, b) for a, b in zip(words, others, strict=True) if a != b]
    return len(differing) == 1 and min(map(len, differing[0])) >= LONG_ENOUGH - 1


def _of_form(column: Column, groups: list[list[str]]) -> Finding:
    listed = "; ".join(" and ".join(f"'{t}'" for t in texts[:3]) for texts in groups[:SHOWN])
    return Finding(
        check="category_spelling",
        where=f"column '{column.name}'",
        what=f"Categories differ in case, spaces or punctuation only: {listed}.",
        severity="warning",
        evidence={"groups": groups[:SHOWN], "count": len(groups)},
        remedy="Write each category in one way.",
        columns=(column.name,),
    )


def _of_slips(column: Column, pairs: list[tuple[str, str]]) -> Finding:
    listed = "; ".join(f"'{rare}' beside '{frequent}'" for rare, frequent in pairs[:SHOWN])
    return Finding(
        check="category_spelling",
        where=f"column '{column.name}'",
        what=f"Rare categories are one letter away from frequent ones: {listed}.",
        severity="info",
        evidence={"pairs": [list(pair) for pair in pairs[:SHOWN]], "count": len(pairs)},
        remedy="Correct those that are slips of the pen.",
        columns=(column.name,),
    )


check = CategorySpelling()
