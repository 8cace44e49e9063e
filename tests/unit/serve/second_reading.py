"""What becomes of a cell under a Contract, once more: read from its tables, not from the runtime.

``core/contract.py`` says what each breach is and what each action does, docs/decisions/0003 what a
cell says. This is a second implementation of both for cells as JSON holds them: slow, short, and
of its own, so that the two can be compared.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns
from drivetrain.core.contract import Column, Contract

ABSENT = object()  # in the place of a cell: the row does not have the column
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TICKS = {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1}
_NOTHING: dict[str, Any] = {"category": "", "text": "", "datetime": MISSING_TIME}


class Outcome(NamedTuple):
    """What a request becomes.

    ``columns`` is what the model is to see; None where the request is to be refused, for one of
    the (column, row) in ``refused``. ``breaches`` is what is to be counted then.
    """

    columns: Columns | None
    breaches: Counter[tuple[str, str]]
    refused: set[tuple[str, int]]


def outcome(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> Outcome:
    """Say what becomes of these rows; a cell that a row does not have is absent."""
    typed: dict[str, list[Any]] = {}
    breaches: Counter[tuple[str, str]] = Counter()
    refused: set[tuple[str, int]] = set()
    for column in contract.columns:
        cells = []
        for number, row in enumerate(rows):
            value, breach, action = _settled(contract, column, row.get(column.name, ABSENT))
            cells.append(value)
            if action == "reject":
                refused.add((column.name, number))
            elif breach:
                breaches[column.name, breach] += 1
        typed[column.name] = cells
    known = {*contract.names, *contract.ignored}
    for number, row in enumerate(rows):
        for name in row.keys() - known:
            if contract.extra_column == "reject":
                refused.add((name, number))
            breaches[name, "extra_column"] += 1
    columns = {column.name: _packed(column, typed[column.name]) for column in contract.columns}
    return Outcome(None if refused else columns, breaches, refused)


def _settled(contract: Contract, column: Column, cell: Any) -> tuple[Any, str, str]:
    """Return the value that the model sees, the breach and what the policy does about it."""
    nothing = _nothing(column)
    if cell is ABSENT:
        return nothing, "missing_column", contract.missing_column
    value, breach = _read(column, cell)
    if not breach:
        return value, "", "pass"
    action = getattr(column.policy, breach)
    if breach in ("junk", "missing"):
        return nothing, breach, action
    if action == "coerce":
        value = _nearer_bound(column, value) if breach == "range" else _finite(column, value)
    return value, breach, action


def _nothing(column: Column) -> Any:
    if column.kind == "vector":
        return [math.nan] * column.width
    return _NOTHING.get(column.kind, math.nan)


def _nearer_bound(column: Column, value: Any) -> Any:
    if column.low is not None and value < column.low:
        return type(value)(column.low)
    if column.high is not None and value > column.high:
        return type(value)(column.high)
    return value  # an integer that float64 does not hold: the nearest one that it does


def _finite(column: Column, value: Any) -> Any:
    """Put what is missing in the place of a category never seen, or of infinity."""
    if column.kind == "vector":
        return [math.nan if math.isinf(item) else item for item in value]
    return _nothing(column)


def _read(column: Column, cell: Any) -> tuple[Any, str]:
    if column.kind == "vector":
        return _vector(column, cell)
    text = said(cell)
    if text is None:
        return None, "junk"
    if text == "" or text in {said(each) for each in column.missing_values}:
        return None, "missing"
    if column.kind == "number":
        return _number(column, text)
    if column.kind == "boolean":
        return _boolean(column, text)
    if column.kind == "datetime":
        return _time(column, cell.strip() if isinstance(cell, str) else text, text)
    is_new = column.categories is not None and text not in column.categories
    return text, "unseen" if is_new else ""


def said(cell: Any) -> str | None:
    """Return the one text of a cell; None where it has none."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float):
        return str(int(cell)) if cell == int(cell) and abs(cell) < 2**53 else repr(cell)
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    number = _json_number(text)
    if isinstance(number, float):
        return text if math.isinf(number) else said(number)
    if isinstance(number, int):
        return str(number)
    if text.lower() in ("true", "false"):
        return text.lower()
    if re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text, re.ASCII) and text[-1] in "0123456789Z":
        return _time_text(text)
    return text


def _json_number(text: str) -> int | float | None:
    if not re.match("[-0-9]", text):  # JSON's white space is gone; NaN and Infinity are not its
        return None
    try:
        found = json.loads(text, parse_constant=lambda name: None)
    except ValueError:
        return None
    return found if isinstance(found, (int, float)) else None


def _time_text(text: str) -> str:
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        return text
    if time.tzinfo is not None:
        try:
            return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"
        except OverflowError:  # before the year 1
            return time.isoformat()
    return time.isoformat().removesuffix("T00:00:00")


def _number(column: Column, text: str) -> tuple[Any, str]:
    try:
        value = float({"true": "1", "false": "0"}.get(text, text))
    except ValueError:
        return None, "junk"
    if not text.isascii() or "_" in text:  # Python reads them, a Contract does not
        return None, "junk"
    if math.isnan(value):
        return None, "missing"
    if math.isinf(value):
        return value, "infinite"
    is_wide = re.fullmatch("[-+]?[0-9]+", text) is not None and abs(int(text)) > 2**53
    outside = is_wide or _is_outside(column, value)
    return value + 0.0, "range" if outside else ""


def _boolean(column: Column, text: str) -> tuple[Any, str]:
    for spellings, value in (
        (column.true_values, 1.0), (column.false_values, 0.0),
        (("true", "1"), 1.0), (("false", "0"), 0.0),
    ):  # fmt: skip
        if text.casefold() in {spelling.casefold() for spelling in spellings}:
            return value, ""
    return None, "junk"


def _time(column: Column, raw: str, text: str) -> tuple[Any, str]:
    micros = _micros(column, raw, text)
    if micros is None or abs(micros) >= 2**63:
        return None, "junk"
    return micros, "range" if _is_outside(column, micros) else ""


def _micros(column: Column, raw: str, text: str) -> int | None:
    is_number = _json_number(text) is not None
    for form in column.formats:
        if form in _TICKS:
            if is_number:
                return math.floor(Fraction(text) * _TICKS[form])
            continue
        for each in (raw, text):
            try:
                return _since_1970(dt.datetime.strptime(each, form))
            except ValueError:
                pass
    if is_number:
        return None
    try:
        return _since_1970(dt.datetime.fromisoformat(raw))
    except ValueError:
        return None


def _since_1970(time: dt.datetime) -> int:
    aware = time if time.tzinfo is not None else time.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // dt.timedelta(microseconds=1)


def _is_outside(column: Column, value: float) -> bool:
    return (column.low is not None and value < column.low) or (
        column.high is not None and value > column.high
    )


def _vector(column: Column, cell: Any) -> tuple[Any, str]:
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None, "junk"
    if not isinstance(cell, list):
        is_missing = said(cell) in {"", *(said(each) for each in column.missing_values)}
        return None, "missing" if is_missing else "junk"
    if not cell:
        return None, "missing"
    if len(cell) != column.width or not all(
        item is None or isinstance(item, (int, float)) for item in cell
    ):
        return None, "junk"
    value = [math.nan if item is None else _double(item) for item in cell]
    return value, "infinite" if any(map(math.isinf, value)) else ""


def _double(item: float) -> float:
    try:
        return float(item) + 0.0
    except OverflowError:
        return math.inf if item > 0 else -math.inf


def _packed(column: Column, values: list[Any]) -> Array:
    if column.kind in ("category", "text"):
        packed = np.empty(len(values), object)
        packed[:] = values
        return packed
    return np.array(values, np.int64 if column.kind == "datetime" else np.float64)
