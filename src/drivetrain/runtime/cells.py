"""What a cell says: one text for a value, whether by CSV, JSON, pandas, Polars or Arrow.

Every kind of column is a function of a cell's *canonical text*, so two routes that give equal
texts give bit-equal tensors. docs/decisions/0003-canonical-cells.md has the rules and their price.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Final

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Mask

WIDEST: Final = 2**53  # beyond it a float64 does not hold every integer
JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<part>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_INTEGER = re.compile(r"[+-]?[0-9]+")
# One way to match each text: a client's hundred thousand digits must not be tried in all halves.
_DECIMAL = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE
)
_TIME_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")
_PANDAS_MISSING = frozenset({"NAType", "NaTType"})
_EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_UTC = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_FIRST_YEAR = np.datetime64("0001-01-01", "us").astype(np.int64).item()
_LAST_YEAR = np.datetime64("9999-12-31T23:59:59.999999", "us").astype(np.int64).item()


class UnreadableCell(ValueError):
    """A cell that has no text: a list, an object, bytes that are not UTF-8."""


def canonical(value: object) -> str:
    """Return the canonical text of a cell; ``''`` where there is no value.

    Raises
    ------
    UnreadableCell
        If the cell is no scalar, or a text that UTF-8 cannot carry.

    Examples
    --------
    >>> [canonical(cell) for cell in (4, 4.0, "4.0", " 4 ", "1e3", "007", True, "TRUE", None)]
    ['4', '4', '4', '4', '1000', '007', 'true', 'true', '']
    """
    if type(value) is str:
        return canonical_text(value.strip())
    if value is None:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return _integer_text(int(value))
    if isinstance(value, (float, np.floating)):
        return _float_text(float(value))
    return _rare(value)


def canonical_text(text: str) -> str:
    """Return the canonical form of a text that is stripped already."""
    if not text:
        return text
    if "0" <= text[-1] <= "9" or text[-1] == "Z":
        match = JSON_NUMBER.fullmatch(text)
        if match:
            return _number_text(text, bool(match["part"]))
        if _TIME_TEXT.match(text):
            return _time_text(text)
    elif len(text) <= 5 and text.lower() in ("true", "false"):
        return text.lower()
    if not text.isascii():
        _check_utf8(text)
    return text


def is_missing(value: object) -> bool:
    """Tell whether a cell is None, NaN, NaT or pandas' NA; texts are the column's own affair."""
    if value is None or type(value).__name__ in _PANDAS_MISSING:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def number_of(text: str) -> tuple[float, bool] | None:
    """Read a canonical text as a number, and tell whether it is an integer too wide for a float64.

    Python's grammar for floats without underscores, ASCII digits only; ``true`` is 1, ``false`` 0.
    None where the text is no number.
    """
    if _DECIMAL.fullmatch(text) is None:
        if text in ("true", "false"):
            return float(text == "true"), False
        return None
    value = float(text) + 0.0  # -0.0 becomes 0.0: JSON's -0 is an integer, CSV's is not
    if abs(value) < WIDEST or _INTEGER.fullmatch(text) is None:
        return value, False
    return value, abs(value) > WIDEST or abs(int(text[-4000:])) > WIDEST  # leading zeros cut


def micros_of(value: dt.datetime | dt.date) -> int:
    """Microseconds since 1970 in UTC; without an offset the time is UTC."""
    if isinstance(value, dt.datetime):
        return (value - (_EPOCH if value.tzinfo is None else _EPOCH_UTC)) // _MICROSECOND
    return (value.toordinal() - _EPOCH.toordinal()) * 86_400_000_000


def time_of(micros: int, *, aware: bool) -> dt.datetime:
    """Return the time at ``micros`` since 1970; UnreadableCell outside the years 1 to 9999."""
    if not _FIRST_YEAR <= micros <= _LAST_YEAR:
        raise UnreadableCell(f"a time {micros} µs from 1970")
    return (_EPOCH_UTC if aware else _EPOCH) + dt.timedelta(microseconds=micros)


def micros_of_array(values: Array) -> tuple[Array, Mask, Mask]:
    """Turn datetime64 of any unit into µs: (int64 values, missing, beyond int64)."""
    missing = np.isnat(values)
    unit, count = np.datetime_data(values.dtype)
    if unit in ("Y", "M", "generic"):
        values, unit, count = values.astype("datetime64[D]"), "D", 1
    ticks = values.astype(np.int64)
    if unit in ("ns", "ps", "fs", "as"):
        per_micro = {"ns": 10**3, "ps": 10**6, "fs": 10**9, "as": 10**12}[unit]
        micros = (ticks * count) // per_micro if count == 1 else ticks // (per_micro // count)
        beyond = np.zeros(ticks.shape, dtype=bool)
    else:
        size = {"us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6,
                "D": 86_400 * 10**6, "W": 604_800 * 10**6}[unit] * count  # fmt: skip
        limit = np.iinfo(np.int64).max // size
        beyond = ~missing & ((ticks > limit) | (ticks < -limit))
        micros = np.where(beyond | missing, 0, ticks) * size
    micros = np.where(missing | beyond, MISSING_TIME, micros)
    return micros, missing, beyond


def _integer_text(value: int) -> str:
    try:
        return str(value)
    except ValueError as error:  # Python refuses beyond 4300 digits
        raise UnreadableCell("an integer of more than 4300 digits") from error


def _float_text(value: float) -> str:
    if math.isnan(value):
        return ""
    if value.is_integer() and abs(value) < WIDEST:
        return str(int(value))
    return repr(value)


def _number_text(text: str, has_part: bool) -> str:
    if not has_part:
        return "0" if text == "-0" else text
    value = float(text)
    return text if math.isinf(value) else _float_text(value)


def _time_text(text: str) -> str:
    try:
        return _datetime_text(dt.datetime.fromisoformat(text))
    except ValueError:
        return text


def _datetime_text(value: dt.datetime) -> str:
    plain = dt.datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second,
        value.microsecond, value.tzinfo,
    )  # fmt: skip  # a pandas Timestamp would write its nanoseconds
    if plain.tzinfo is None:
        return plain.date().isoformat() if plain.time() == dt.time.min else plain.isoformat()
    try:
        return plain.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        return plain.isoformat()


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableCell("a text with lone surrogates") from error


def _rare(value: object) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return canonical_text(str.strip(value))
    if isinstance(value, Decimal):
        return _float_text(float(value)) if value.is_infinite() else canonical_text(str(value))
    if isinstance(value, dt.datetime):
        return _datetime_text(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, np.datetime64):
        micros, _, _ = micros_of_array(np.atleast_1d(value))
        return _datetime_text(time_of(int(micros[0]), aware=False))
    if isinstance(value, (bytes, bytearray)):
        try:
            return canonical_text(value.decode().strip())
        except UnicodeDecodeError as error:
            raise UnreadableCell("bytes that are not UTF-8") from error
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return canonical(value[()])
    raise UnreadableCell(f"a {type(value).__name__}")
