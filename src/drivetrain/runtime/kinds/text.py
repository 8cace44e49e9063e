"""Reads categories and texts: canonical texts, ``''`` where missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Column
from drivetrain.runtime.kinds.reader import FINE, UNSEEN, Reader


class TextReader(Reader):
    """Any scalar, by its canonical text."""

    dtype = object
    absent = ""
    expected = "a text, number, boolean or time"

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self.categories = None if column.categories is None else frozenset(column.categories)

    def read_text(self, text: str) -> tuple[str, int]:
        if self.categories is not None and text not in self.categories:
            return text, UNSEEN
        return text, FINE

    def pack(self, values: list[Any]) -> Array:
        packed = np.empty(len(values), dtype=object)
        packed[:] = values
        return packed
