"""Reads numbers: float64, NaN where missing."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.contract import Column
from drivetrain.runtime.cells import JSON_NUMBER, WIDEST, number_of
from drivetrain.runtime.forms import Cells, Numbers, Things
from drivetrain.runtime.kinds.reader import FINE, INFINITE, JUNK, MISSING, RANGE, Reader, Reading

_FINITE = sys.float_info.max


class NumberReader(Reader):
    """Integers, floats, decimals and texts that spell one; true is 1 and false 0."""

    expected = "a number"

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self.low = -math.inf if column.low is None else column.low
        self.high = math.inf if column.high is None else column.high
        numbers = [text for text in self.missing if JSON_NUMBER.fullmatch(text)]
        whole = {int(text) for text in numbers if text.lstrip("-").isdigit()}
        self.missing_integers = sorted(whole)
        # the canonical text of a float beyond 2**53 is never that of an integer
        self.missing_floats = sorted(
            {float(value) for value in whole if abs(value) < WIDEST}
            | {float(text) for text in numbers if not text.lstrip("-").isdigit()}
        )
        # "+5" as a missing value speaks of that text only, not of the number 5
        self._floats = frozenset(self.missing_floats)
        self._integers = frozenset(self.missing_integers)
        odd = (number_of(text) for text in self.missing.difference(numbers))
        self.texts_are_plain = all(pair is None or math.isnan(pair[0]) for pair in odd)

    def read_again(self, cell: object) -> tuple[float, int]:
        if type(cell) is float:
            special = not -_FINITE <= cell <= _FINITE or cell in self._floats
        elif type(cell) is int:
            special = not -WIDEST <= cell <= WIDEST or cell in self._integers
        else:
            return super().read_again(cell)
        if special or not self.low <= cell <= self.high:
            return self.read(cell)
        return cell + 0.0, FINE

    def read_text(self, text: str) -> tuple[float, int]:
        number = number_of(text)
        if number is None:
            return math.nan, JUNK
        value, wide = number
        if math.isnan(value):
            return math.nan, MISSING
        if math.isinf(value):
            return value, INFINITE
        outside = wide or not self.low <= value <= self.high
        return value, RANGE if outside else FINE

    def stand_in(self, value: float, breach: int) -> float:
        if breach == RANGE:
            return min(max(value, self.low), self.high)
        return math.nan

    def read_many(self, cells: Cells) -> Reading:
        if isinstance(cells, Numbers):
            return self._read_numbers(cells)
        if isinstance(cells, Things) and cells.codes is None:
            values = _floats(cells.items, self.texts_are_plain)
            if values is not None:
                return self._read_numbers(Numbers(values))
        return super().read_many(cells)

    def _read_numbers(self, cells: Numbers) -> Reading:
        raw = cells.values
        missing = cells.is_missing()
        wide = None
        if raw.dtype.kind in "iu":
            known: Sequence[float] = _within(self.missing_integers, raw.dtype)
            if raw.dtype.itemsize == 8:
                wide = (raw > WIDEST) if raw.dtype.kind == "u" else (raw > WIDEST) | (raw < -WIDEST)
        elif raw.dtype.kind == "f":
            known = self.missing_floats
        else:  # a boolean is missing by its text
            known = [bool(value) for value in (0, 1) if str(bool(value)).lower() in self.missing]
        values = raw.astype(np.float64) + 0.0
        if known:
            missing = missing | np.isin(raw if raw.dtype.kind in "iub" else values, known)
        values[missing] = np.nan
        return self._judge(values, missing, wide)

    def _judge(self, values: Any, missing: Any, wide: Any) -> Reading:
        breaches = np.zeros(len(values), dtype=np.uint8)
        outside = (values < self.low) | (values > self.high)
        if wide is not None:
            outside |= wide
        breaches[outside] = RANGE
        breaches[np.isinf(values)] = INFINITE
        breaches[missing] = MISSING
        return Reading(values, breaches)


def _within(integers: list[int], dtype: Any) -> list[int]:
    bounds = np.iinfo(dtype)
    return [value for value in integers if bounds.min <= value <= bounds.max]


def _floats(items: Sequence[object], texts_are_plain: bool) -> FloatVector | None:
    """Read a list of nothing but floats, integers and None, or nothing but texts and None, at once.

    None where cell by cell could say something else: integers too wide for a float64, digits of
    other scripts and underscores (``float`` takes them), a text that ``float`` refuses.
    """
    types = set(map(type, items)) - {type(None)}
    try:
        if types == {str} and texts_are_plain:
            texts = [text or "" for text in items]
            joined = "".join(texts)  # type: ignore[arg-type]
            if not joined.isascii() or "_" in joined:
                return None
            values = np.array([float(text) if text else math.nan for text in texts])  # type: ignore[arg-type]
        elif types <= {int, float}:
            values = np.array([math.nan if item is None else item for item in items], np.float64)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    if types != {float} and bool((np.abs(values) >= WIDEST).any()):
        return None
    return values
