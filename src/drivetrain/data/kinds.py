"""Propose each column's kind from a sample of its cells, with the evidence in words.

A proposal is not yet a contract: ``infer`` lets ``admit`` read the whole column under it, and
takes it back where the cells outside the sample speak against it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import polars as pl

from drivetrain.core.arrays import FloatVector
from drivetrain.core.contract import FALSE_VALUES, TRUE_VALUES, Kind
from drivetrain.core.errors import DataError
from drivetrain.data.dates import find_date_format, is_compact_date
from drivetrain.runtime.cells import WIDEST, UnreadableCell, canonical, number_of

PLACEHOLDERS = frozenset(
    {"unknown", "unk", "missing", "not available", "not known", "not applicable", "n.a.", "n.a",
     "none", "nil", "undefined", "unspecified", "no data", "tbd", "blank", "empty", "#value!"}
)  # fmt: skip
MOST_TEXT_CODES = 50
MOST_DATES = 2_000  # different texts among which a form of dates is looked for
JUNK_LIMIT = 0.05  # a share of unreadable cells up to here is a number's or date's junk
_CODE_WORDS = frozenset(
    {"id", "ids", "code", "codes", "zip", "zipcode", "postcode", "postal", "postalcode", "plz",
     "sku", "uuid", "guid", "fips", "isbn", "ean", "iban", "ssn", "phone"}
)  # fmt: skip
_MEASURE_WORDS = frozenset(
    {"amount", "price", "cost", "income", "salary", "revenue", "balance", "population", "count",
     "area", "size", "weight", "height", "length", "distance", "year", "age", "days", "hours", "km"}
)  # fmt: skip
_DECIMAL = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?(e-?[0-9]{1,2})?$"
_PLAIN = re.compile(_DECIMAL)
_FIRST_CELLS = 20
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True)
class Proposal:
    """A kind, why, and what the reader of the kind needs to know."""

    kind: Kind
    evidence: str
    missing_values: tuple[str, ...] = ()  # beside the usual ones
    formats: tuple[str, ...] = ()
    width: int = 0


def name_words(name: str) -> set[str]:
    """Cut a column's name into its words, in lower case.

    Examples
    --------
    >>> sorted(name_words("MGR_ID")), sorted(name_words("zipCode2"))
    (['id', 'mgr'], ['2', 'code', 'zip'])
    """
    return {word.lower() for word in _WORDS.findall(name)}


def propose_kind(sample: pl.Series, missing: frozenset[str], *, typed: bool = False) -> Proposal:
    """Propose the kind of a column from its own type, or from what its texts spell.

    Parameters
    ----------
    sample
        Raw cells, as :func:`drivetrain.data.read.read_table` gives them.
    missing
        Canonical texts that mean missing.
    typed
        The table has columns of other types than text, so a text is one by its author's choice.

    Raises
    ------
    DataError
        If the cells are of a type that no kind takes: bytes, objects, durations.
    """
    dtype = sample.dtype
    if dtype == pl.Boolean:
        return Proposal("boolean", "the column's own type is boolean")
    if isinstance(dtype, (pl.Date, pl.Datetime)):
        return Proposal("datetime", f"the column's own type is {dtype}")
    if isinstance(dtype, (pl.List, pl.Array)):
        return _vector(sample)
    if dtype.is_numeric():
        return _numeric(sample, missing)
    if dtype != pl.String:
        raise _unusable(sample.name, f"cells of type {dtype}")
    proposal = _textual(sample, missing)
    whole = proposal.kind == "number" and proposal.evidence.endswith("all whole")
    if typed and whole and sample.n_unique() <= MOST_TEXT_CODES:
        reason = "few whole numbers, typed as text in a table that has numbers: they are codes"
        return Proposal("category", reason)
    return proposal


def _vector(sample: pl.Series) -> Proposal:
    inner = getattr(sample.dtype, "inner", pl.Null())
    if not (inner.is_numeric() or inner in (pl.Boolean, pl.Null)):
        raise _unusable(sample.name, f"lists of {inner}")
    cells = sample.drop_nulls()
    lengths = cells.arr.len() if isinstance(sample.dtype, pl.Array) else cells.list.len()
    widths = Counter(length for length in lengths.to_list() if length)  # an empty one is missing
    if not widths:
        return Proposal("category", "lists, all of them empty")
    width, count = widths.most_common(1)[0]
    share = count / widths.total()
    if share < 1 - JUNK_LIMIT:
        raise _unusable(sample.name, f"lists of {min(widths)} to {max(widths)} numbers")
    return Proposal("vector", f"lists of {width} numbers in {share:.1%} of the cells", width=width)


def _written_vector(counts: Counter[str]) -> Proposal | None:
    """Propose for texts that are JSON's lists of numbers, nearly all of one length; else None."""
    if not all(text.startswith("[") for text in counts):
        return None
    widths: Counter[int] = Counter()
    for text, count in counts.items():
        try:
            widths[len(msgspec.json.decode(text, type=list[float | None]))] += count
        except msgspec.MsgspecError:
            widths[0] += count
    width, count = widths.most_common(1)[0]
    if width == 0 or count < (1 - JUNK_LIMIT) * counts.total():
        return None
    share = count / counts.total()
    return Proposal("vector", f"lists of {width} numbers as JSON in {share:.1%}", width=width)


def _unusable(name: str, got: str) -> DataError:
    return DataError(
        where=f"column '{name}'",
        expected="numbers, texts, booleans, times or lists of numbers, all of one length",
        got=got,
        remedy=f"Drop the column (--drop {name}) or convert it.",
        code="DT2CD",
    )


def _numeric(sample: pl.Series, missing: frozenset[str]) -> Proposal:
    if sample.dtype.is_integer() and sample.null_count() < len(sample):
        low, high = int(sample.min()), int(sample.max())  # type: ignore[arg-type]
        if max(abs(low), abs(high)) > WIDEST:
            return _wide(high)
    numbers = sample.cast(pl.Float64).to_numpy()
    numbers = numbers[~np.isnan(numbers)]  # a null is NaN here
    declared = [
        number[0]
        for text in missing
        if (number := number_of(text)) is not None and number[0] == number[0]
    ]
    if declared:
        numbers = numbers[~np.isin(numbers, declared)]
    return _of_numbers(sample.name, numbers)


def _wide(example: Any) -> Proposal:
    reason = f"whole numbers beyond 2^53, such as {example}, would lose digits as numbers"
    return Proposal("category", reason)


def _textual(sample: pl.Series, missing: frozenset[str]) -> Proposal:
    decimals = _decimals(sample, missing)
    if decimals is not None:
        return _of_numbers(sample.name, decimals)
    counts: Counter[str] = Counter()
    for cell, count in _distinct(sample).items():
        text = _canonical_or_raw(cell)
        if text not in missing:
            counts[text] += count
    if not counts:
        return Proposal("number", "every cell is missing")
    rows = counts.total()
    if len(counts) > 1 and {text.lower() for text in counts} <= {*TRUE_VALUES, *FALSE_VALUES}:
        texts = {text.lower() for text in counts}
        if texts & {*TRUE_VALUES} and texts & {*FALSE_VALUES} and texts != {"0", "1"}:
            return Proposal("boolean", f"every cell is one of {_listed(sorted(counts))}")
    vector = _written_vector(counts)
    if vector is not None:
        return vector
    read = {text: number_of(text) for text in counts}
    readable = sum(counts[text] for text, number in read.items() if number is not None)
    if readable >= 0.5 * rows:
        proposal = _numeric_text(sample.name, counts, read, readable / rows)
        if proposal is not None:
            return proposal
    dates = find_date_format([text for text in _raw_distinct(sample) if text not in missing])
    if dates is not None:
        evidence = f"{dates.share:.1%} of the distinct cells are dates {dates.note}"
        return Proposal("datetime", evidence, formats=dates.formats)
    return _category_or_text(counts)


def _decimals(sample: pl.Series, missing: frozenset[str]) -> FloatVector | None:
    """Return the numbers of a column of nothing but plain decimals, at once: the usual case.

    None for all others, which are looked at text by text; the answer is the same.
    """
    spelled = (number_of(text) for text in missing)
    if any(number is not None and number[0] == number[0] for number in spelled):
        return None  # a number stands for missing
    first = [cell for cell in sample.head(_FIRST_CELLS).to_list() if cell is not None]
    if not all(cell in missing or _PLAIN.match(cell) for cell in first):
        return None  # most texts are no numbers, and Polars takes milliseconds to look at few
    cells = sample.drop_nulls()
    cells = cells.filter(~cells.is_in(list(missing)))
    if not len(cells) or not cells.str.contains(_DECIMAL).all():
        return None
    values: FloatVector = cells.cast(pl.Float64).to_numpy()
    return None if np.all(values == np.round(values)) else values


def _distinct(sample: pl.Series) -> dict[str, int]:
    table = sample.drop_nulls().alias("cell").value_counts(name="rows")
    return dict(zip(table.to_series(0).to_list(), table.to_series(1).to_list(), strict=True))


def _raw_distinct(sample: pl.Series) -> list[str]:
    cells = dict.fromkeys(cell.strip() for cell in sample.to_list() if cell is not None)
    cells.pop("", None)
    return list(islice(cells, MOST_DATES))


def _canonical_or_raw(cell: str) -> str:
    try:
        return canonical(cell)
    except UnreadableCell:
        return cell


def _numeric_text(
    name: str, counts: Counter[str], read: dict[str, tuple[float, bool] | None], share: float
) -> Proposal | None:
    """Propose for texts that mostly spell numbers; None where too many cells do not."""
    junk = {text: counts[text] for text, number in read.items() if number is None}
    tokens = tuple(sorted(text for text in junk if _is_placeholder(text)))
    real_junk = sum(count for text, count in junk.items() if text not in tokens)
    if real_junk > JUNK_LIMIT * counts.total() or len(tokens) > 3:
        return None
    wide = [text for text, number in read.items() if number is not None and number[1]]
    if wide:
        return _wide(wide[0])
    padded = [text for text in read if len(text) > 1 and text[0] == "0" and text.isdigit()]
    if padded:
        reason = f"whole numbers with leading zeros, such as '{padded[0]}', are codes"
        return Proposal("category", reason)
    if not junk and len(counts) >= 10 and all(is_compact_date(text) for text in counts):
        return Proposal("datetime", "every cell is a date as YYYYMMDD", formats=("%Y%m%d",))
    numbers = [(number[0], counts[text]) for text, number in read.items() if number is not None]
    values, repeats = zip(*numbers, strict=True)
    found = _of_numbers(name, np.repeat(np.array(values), np.array(repeats)))
    notes = [found.evidence]
    if tokens:
        notes.append(f"{_listed(tokens)} in {1 - share:.1%} of the cells stands for missing")
    if real_junk:
        notes.append(f"{real_junk} cells of the sample are no numbers")
    return Proposal(found.kind, "; ".join(notes), missing_values=tokens)


def _is_placeholder(text: str) -> bool:
    return text.lower() in PLACEHOLDERS or not any(character.isalnum() for character in text)


def _of_numbers(name: str, values: FloatVector) -> Proposal:
    """Number, boolean or category, for cells that all are numbers."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Proposal("number", "every cell is missing or infinite")
    distinct, counts = np.unique(values, return_counts=True)
    span = f"{len(distinct)} different numbers from {distinct[0]:g} to {distinct[-1]:g}"
    if not np.all(distinct == np.round(distinct)):
        return Proposal("number", span)
    if set(distinct) == {0.0, 1.0}:
        return _zero_one(float(counts[1] / len(values)), len(values))
    words = name_words(name)
    if words & _CODE_WORDS and len(distinct) > 2:
        word = min(words & _CODE_WORDS)
        return Proposal("category", f"whole numbers, and the name says '{word}': they are codes")
    reason = None if words & _MEASURE_WORDS else _why_codes(distinct, counts)
    if reason is not None:
        return Proposal("category", f"{span}, all whole, look like codes: {reason}")
    return Proposal("number", f"{span}, all whole")


def _zero_one(share: float, rows: int) -> Proposal:
    # Were it a count with this share of ones, a Poisson law would expect so many cells above 1.
    expected = rows * share**2 / 2
    if expected >= 10:
        reason = f"only 0 and 1, where a count would show about {expected:.0f} cells above 1"
        return Proposal("boolean", reason)
    return Proposal("number", "only 0 and 1, too few ones to tell a flag from a count")


def _why_codes(distinct: FloatVector, counts: Any) -> str | None:
    """Say why whole numbers look like codes of categories; None where they look measured.

    Codes leave most numbers unused, repeat all the same, and neighbours in value are not alike
    in frequency. Amounts are zero, round or negative, or hardly repeat.
    """
    rows = int(counts.sum())
    density = len(distinct) / (distinct[-1] - distinct[0] + 1)
    repeats = rows / len(distinct)
    if len(distinct) < 20 or distinct[0] < 0 or density > 0.05 or repeats < 3:
        return None
    if counts[distinct == 0].sum() > 0.05 * rows:
        return None
    if counts[distinct % 10 == 0].sum() > 0.5 * rows:
        return None
    frequency = np.log(counts)
    alike = 0.0 if frequency.std() == 0 else np.corrcoef(frequency[:-1], frequency[1:])[0, 1]
    if alike > 0.7:
        return None
    return (
        f"only {density:.1%} of the numbers in their range are used, each {repeats:.0f} times on "
        f"average, and neighbours are not alike in frequency (correlation {alike:.2f})"
    )


def _category_or_text(counts: Counter[str]) -> Proposal:
    rows, distinct = counts.total(), len(counts)
    words = sum(len(text.split()) * count for text, count in counts.items()) / rows
    seen = f"{distinct} different texts in {rows} sampled cells, {words:.1f} words on average"
    if distinct > 50 and ((words >= 2.5 and distinct > 0.3 * rows) or words >= 8):
        return Proposal("text", seen)
    return Proposal("category", seen)


def _listed(texts: Any) -> str:
    shown = [f"'{text}'" for text in list(texts)[:4]]
    return ", ".join(shown) + (", ..." if len(texts) > 4 else "")
