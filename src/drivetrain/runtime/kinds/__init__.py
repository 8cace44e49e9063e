"""One file for each kind of column: how its cells are read."""

from __future__ import annotations

from drivetrain.core.contract import Column, Kind
from drivetrain.runtime.kinds.boolean import BooleanReader
from drivetrain.runtime.kinds.datetime import DatetimeReader
from drivetrain.runtime.kinds.number import NumberReader
from drivetrain.runtime.kinds.reader import Reader
from drivetrain.runtime.kinds.text import TextReader
from drivetrain.runtime.kinds.vector import VectorReader

READERS: dict[Kind, type[Reader]] = {
    "number": NumberReader,
    "boolean": BooleanReader,
    "category": TextReader,
    "text": TextReader,
    "datetime": DatetimeReader,
    "vector": VectorReader,
}


def reader_of(column: Column) -> Reader:
    """Return what reads the cells of ``column``."""
    return READERS[column.kind](column)
