"""The few forms in which a column of raw cells reaches the readers.

A source (a frame, a list of dicts) gives each column in the cheapest form it has. Whatever a reader
does with a form, it must equal reading the cells one by one: tests hold that for every kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from drivetrain.core.arrays import Array, IndexVector, Mask
from drivetrain.runtime.cells import UnreadableCell, time_of


@dataclass(frozen=True)
class Things:
    """Python objects: the cells themselves, or the distinct ones and the ``codes`` of the rows."""

    items: Sequence[object]
    codes: IndexVector | None = None

    def __len__(self) -> int:
        return len(self.items) if self.codes is None else len(self.codes)

    def cell(self, row: int) -> object:
        """Return one cell, for a message."""
        return self.items[row if self.codes is None else int(self.codes[row])]


@dataclass(frozen=True)
class Numbers:
    """Booleans, integers or floats in a numpy array (n,); NaN and ``missing`` are missing."""

    values: Array
    missing: Mask | None = None

    def __len__(self) -> int:
        return len(self.values)

    def cell(self, row: int) -> object:
        """Return one cell, for a message."""
        absent = self.missing is not None and self.missing[row]
        return None if absent else self.values[row].item()

    def is_missing(self) -> Mask:
        """Tell which cells have no value, shape (n,)."""
        missing = np.zeros(len(self.values), bool) if self.missing is None else self.missing
        return missing | np.isnan(self.values) if self.values.dtype.kind == "f" else missing


@dataclass(frozen=True)
class Times:
    """Microseconds since 1970 in UTC, int64 (n,); ``beyond`` did not fit into them."""

    micros: IndexVector
    missing: Mask
    beyond: Mask
    aware: bool = False  # came with a time zone

    def __len__(self) -> int:
        return len(self.micros)

    def cell(self, row: int) -> object:
        """Return one cell, for a message."""
        if self.missing[row]:
            return None
        try:
            return time_of(int(self.micros[row]), aware=self.aware)
        except UnreadableCell:
            return np.datetime64(int(self.micros[row]), "us")


@dataclass(frozen=True)
class Matrix:
    """One vector for each row, numeric (n, k)."""

    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def cell(self, row: int) -> object:
        """Return one cell, for a message."""
        return self.values[row].tolist()


@dataclass(frozen=True)
class Coded:
    """A text column as it was read: its different texts, an object array, and each row's."""

    texts: Array
    codes: IndexVector


Cells: TypeAlias = Things | Numbers | Times | Matrix


def things(cells: Cells) -> Things:
    """Give any form as Python objects, each distinct number or time once."""
    if isinstance(cells, Things):
        return cells
    if isinstance(cells, Matrix):
        return Things(cells.values.tolist())
    if isinstance(cells, Numbers):
        values = cells.values
        if values.dtype.kind == "f":
            values = values.astype(np.float64)  # a longdouble's item would not be a float
        missing = cells.is_missing()
        distinct, codes = np.unique(
            np.where(missing, values.dtype.type(0), values), return_inverse=True
        )
        items: list[object] = [*distinct.tolist(), None]
        return Things(items, np.where(missing, len(distinct), codes))
    distinct, codes = np.unique(cells.micros, return_inverse=True)
    times = [_time(int(micros), cells.aware) for micros in distinct]
    missing_code, beyond_code = len(times), len(times) + 1
    codes = np.where(cells.missing, missing_code, np.where(cells.beyond, beyond_code, codes))
    return Things([*times, None, ()], codes)  # an empty tuple is readable by no kind


def _time(micros: int, aware: bool) -> object:
    try:
        return time_of(micros, aware=aware)
    except UnreadableCell:
        return np.datetime64(micros, "us")
