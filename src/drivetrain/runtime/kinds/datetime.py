"""Reads times: int64 microseconds since 1970 in UTC, INT64_MIN where missing."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.core.contract import Column
from drivetrain.runtime.cells import (
    JSON_NUMBER,
    UnreadableCell,
    canonical,
    is_missing,
    micros_of,
    micros_of_array,
)
from drivetrain.runtime.forms import Cells, Times
from drivetrain.runtime.kinds.reader import FINE, JUNK, MISSING, RANGE, Reader, Reading

_EPOCHS = {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1}
_BOUND = 2**63 - 1


class DatetimeReader(Reader):
    """Times and dates, and texts: the Contract's formats first, then ISO 8601.

    A bare number is a time only where the formats say so: a strptime format that reads its digits
    (``%Y%m%d``), or ``epoch_s``, ``epoch_ms``, ``epoch_us``. Without an offset a time is UTC.
    """

    dtype = np.int64
    absent = MISSING_TIME
    expected = "a date or time"

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self.low = -math.inf if column.low is None else column.low
        self.high = math.inf if column.high is None else column.high
        read = (_iso(text) for text in self.missing)
        self.missing_times = sorted(micros for micros in read if micros is not None)

    def read(self, cell: object) -> tuple[int, int]:
        if is_missing(cell):
            return MISSING_TIME, MISSING
        if isinstance(cell, np.datetime64):
            micros, _, beyond = micros_of_array(np.atleast_1d(cell))
            return (MISSING_TIME, JUNK) if beyond[0] else self._judge(int(micros[0]))
        try:
            if isinstance(cell, dt.date):
                return self._judge(micros_of(cell))
            text = canonical(cell)
        except (UnreadableCell, OverflowError):
            return MISSING_TIME, JUNK
        if text in self.missing:
            return MISSING_TIME, MISSING
        if isinstance(cell, dt.time):
            return MISSING_TIME, JUNK
        raw = cell.strip() if isinstance(cell, str) else text
        found = self._micros(raw, text)
        if found is None or abs(found) > _BOUND:
            return MISSING_TIME, JUNK
        return self._judge(found)

    def stand_in(self, value: int, breach: int) -> int:
        if breach == RANGE:
            return int(min(max(value, self.low), self.high))
        return MISSING_TIME

    def read_many(self, cells: Cells) -> Reading:
        if not isinstance(cells, Times):
            return super().read_many(cells)
        values = cells.micros.copy()
        breaches = np.zeros(len(values), dtype=np.uint8)
        breaches[(values < self.low) | (values > self.high)] = RANGE
        missing = cells.missing | (cells.micros == MISSING_TIME)
        if self.missing_times:
            missing = missing | np.isin(values, self.missing_times)
        breaches[missing] = MISSING
        breaches[cells.beyond] = JUNK
        values[missing | cells.beyond] = MISSING_TIME
        return Reading(values, breaches)

    def _judge(self, micros: int) -> tuple[int, int]:
        if micros in self.missing_times or micros == MISSING_TIME:
            return MISSING_TIME, MISSING
        return micros, FINE if self.low <= micros <= self.high else RANGE

    def _micros(self, raw: str, text: str) -> int | None:
        """Read a text, as it came and in canonical form."""
        number = JSON_NUMBER.fullmatch(text) is not None
        for form in self.column.formats:
            if form in _EPOCHS:
                if number:
                    return math.floor(Decimal(text) * _EPOCHS[form])
                continue
            for candidate in (raw, text):
                micros = _by_format(candidate, form)
                if micros is not None:
                    return micros
        return None if number else _iso(raw)


def _by_format(text: str, form: str) -> int | None:
    try:
        return micros_of(dt.datetime.strptime(text, form))
    except (ValueError, OverflowError):
        return None


def _iso(text: str) -> int | None:
    try:
        return micros_of(dt.datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
