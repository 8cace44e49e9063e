"""Reads vectors: float64 (n, k), NaN where missing."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Column
from drivetrain.runtime.cells import UnreadableCell, canonical, is_missing
from drivetrain.runtime.forms import Cells, Matrix
from drivetrain.runtime.kinds.reader import FINE, INFINITE, JUNK, MISSING, Reader, Reading


class VectorReader(Reader):
    """Lists, tuples, arrays of the column's width, or one's JSON text; items may be missing.

    An empty list is a missing cell.
    """

    def __init__(self, column: Column) -> None:
        super().__init__(column)
        self.absent = np.full(column.width, np.nan)
        self.expected = f"a list of {column.width} numbers"

    def read(self, cell: object) -> tuple[Array, int]:
        if isinstance(cell, str) and cell.lstrip().startswith("["):
            try:
                cell = msgspec.json.decode(cell)
            except msgspec.DecodeError:
                return self.absent, JUNK
        if isinstance(cell, np.ndarray) and cell.ndim == 1:
            cell = cell.tolist()
        if not isinstance(cell, (list, tuple)):
            return self.absent, MISSING if self._says_missing(cell) else JUNK
        if not len(cell):
            return self.absent, MISSING
        if len(cell) != self.column.width:
            return self.absent, JUNK
        try:
            vector = np.array([_item(item) for item in cell], dtype=np.float64)
        except UnreadableCell:
            return self.absent, JUNK
        return vector, INFINITE if np.isinf(vector).any() else FINE

    def _says_missing(self, cell: object) -> bool:
        try:
            return canonical(cell) in self.missing
        except UnreadableCell:
            return False

    def stand_in(self, value: Array, breach: int) -> Array:
        return np.where(np.isinf(value), np.nan, value) if breach == INFINITE else self.absent

    def pack(self, values: list[Any]) -> Array:
        return np.array(values, dtype=np.float64).reshape(len(values), self.column.width)

    def read_many(self, cells: Cells) -> Reading:
        if not isinstance(cells, Matrix) or cells.values.shape[1] != self.column.width:
            return super().read_many(cells)
        values = cells.values.astype(np.float64) + 0.0
        breaches = np.where(np.isinf(values).any(axis=1), INFINITE, FINE).astype(np.uint8)
        return Reading(values, breaches)


def _item(item: object) -> float:
    if is_missing(item):
        return math.nan
    if not isinstance(item, (int, float, Decimal, np.number, np.bool_)):
        raise UnreadableCell(f"a {type(item).__name__} in a vector")
    try:
        return float(item) + 0.0
    except OverflowError:
        return math.inf if item > 0 else -math.inf
