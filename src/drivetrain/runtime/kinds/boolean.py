"""Reads booleans: float64, 0 or 1, NaN where missing."""

from __future__ import annotations

import math

from drivetrain.core.contract import Column
from drivetrain.runtime.cells import canonical
from drivetrain.runtime.kinds.reader import FINE, JUNK, Reader


class BooleanReader(Reader):
    """The spellings of the Contract in any case, before them true and false, 1 and 0."""

    expected = "a boolean"

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self.values = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
        self.values |= {canonical(text).casefold(): 0.0 for text in column.false_values}
        self.values |= {canonical(text).casefold(): 1.0 for text in column.true_values}

    def read_text(self, text: str) -> tuple[float, int]:
        value = self.values.get(text.casefold())
        return (math.nan, JUNK) if value is None else (value, FINE)
