"""Columns of an Arrow table, through its own methods and without importing pyarrow."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivetrain.core.arrays import Mask
from drivetrain.core.contract import Contract, named
from drivetrain.runtime.cells import micros_of_array
from drivetrain.runtime.forms import Cells, Numbers, Things, Times
from drivetrain.runtime.sources.source import Source, check_names

_NUMBERS = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
     "halffloat", "float", "double", "bool"}
)  # fmt: skip


def read(table: Any, contract: Contract) -> Source | None:
    """Read the Contract's columns of a Table or RecordBatch; None for any other Arrow object."""
    if not hasattr(table, "column_names"):
        return None
    check_names(table.column_names)
    names = named(table.column_names)
    wanted = set(contract.names)
    places = [place for place, name in enumerate(names) if name in wanted]
    return Source(
        rows=table.num_rows,
        cells={names[place]: cells_of(table.column(place)) for place in places},
        extra={name: table.num_rows for name in names if name not in wanted},
    )


def cells_of(column: Any) -> Cells:
    """Give an Arrow array, chunked or not, of any type as cells."""
    kind = str(column.type)
    if kind in _NUMBERS:
        if not column.null_count:
            return Numbers(_numpy(column))
        filled = column.fill_null(False if kind == "bool" else 0)
        return Numbers(_numpy(filled), _numpy(column.is_null()))
    if kind in ("string", "large_string"):
        return _coded(column.dictionary_encode())
    if kind.startswith("dictionary"):
        return _coded(column)
    if kind.startswith(("timestamp", "date")):
        return _times(column, kind)
    return Things(column.to_pylist())


def _times(column: Any, kind: str) -> Times:
    """Read instants as integers: Python's own times end at microseconds and the year 9999."""
    unit = {"date32[day]": "D", "date64[ms]": "ms"}.get(kind) or column.type.unit
    integers = column.cast("int32").cast("int64") if unit == "D" else column.cast("int64")
    absent: Mask = _numpy(column.is_null())
    ticks = _numpy(integers.fill_null(0)).astype(np.int64)
    micros, _, beyond = micros_of_array(ticks.view(f"datetime64[{unit}]"))
    aware = kind.startswith("timestamp") and column.type.tz is not None
    return Times(micros, absent, beyond & ~absent, aware)


def _numpy(column: Any) -> Any:
    if hasattr(column, "chunks"):  # a ChunkedArray copies by itself
        return column.to_numpy()
    return column.to_numpy(zero_copy_only=False)


def _coded(column: Any) -> Cells:
    if hasattr(column, "combine_chunks"):
        column = column.unify_dictionaries().combine_chunks()
    if hasattr(column, "chunks"):  # no rows, or too many texts for one array
        return Things(column.to_pylist())
    items = column.dictionary.to_pylist()
    missing = _numpy(column.is_null())
    codes = _numpy(column.indices.fill_null(0)).astype(np.int64)
    return Things([*items, None], np.where(missing, len(items), codes))
