"""Columns of a Polars frame, through its own methods and without importing Polars."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array, Mask
from drivetrain.core.contract import Contract, named
from drivetrain.runtime.cells import micros_of_array
from drivetrain.runtime.forms import Cells, Matrix, Numbers, Things, Times
from drivetrain.runtime.sources.source import Source

FEW_ROWS = 4_096  # below that a query of Polars, half a millisecond, costs more than it saves
_NUMBERS = frozenset(
    {"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64",
     "Float16", "Float32", "Float64", "Boolean"}
)  # fmt: skip


def read(frame: Any, contract: Contract) -> Source | None:
    """Read the Contract's columns of a DataFrame; None for any other object of Polars."""
    if type(frame).__name__ != "DataFrame":
        return None
    names = named(frame.columns)
    wanted = set(contract.names)
    columns = zip(names, frame.iter_columns(), strict=True)
    return Source(
        rows=frame.height,
        cells={name: cells_of(column) for name, column in columns if name in wanted},
        extra={name: frame.height for name in names if name not in wanted},
    )


def cells_of(series: Any) -> Cells:
    """Give a Polars Series of any type as cells."""
    kind = series.dtype.base_type().__name__
    missing: Mask | None = series.is_null().to_numpy() if series.null_count() else None
    if kind in _NUMBERS:
        filled = series if missing is None else series.fill_null(False if kind == "Boolean" else 0)
        return Numbers(filled.to_numpy(), missing)
    if kind in ("Datetime", "Date"):
        return _times(series, kind, missing)
    if kind in ("Categorical", "Enum"):
        return _coded(series.cast(_string_type(series)))
    if kind == "String":
        return _coded(series)
    if kind == "Array" and missing is None and len(series.dtype.shape) == 1:
        values: Array = series.to_numpy()
        if values.dtype.kind in "biuf":
            return Matrix(values)
    return Things(series.to_list())


def _string_type(series: Any) -> Any:
    """Return the Polars type ``String``, which a dtype of the library leads to."""
    return type(series)(["text"]).dtype


def _coded(series: Any) -> Things:
    """Give distinct texts and codes where texts repeat: 50 ns a cell instead of 150."""
    if len(series) < FEW_ROWS:
        return Things(series.to_list())  # the reader finds what repeats
    distinct = series.head(FEW_ROWS).unique().drop_nulls()  # most columns soon show all they have
    known = None if len(distinct) * 2 > FEW_ROWS else _numbered(series, distinct)
    if known is None or known.null_count() > series.null_count():
        distinct = series.unique().drop_nulls()
        if len(distinct) * 2 > len(series):
            return Things(series.to_list())
        known = _numbered(series, distinct)
    codes = known.cast(sys.modules["polars"].Int64).fill_null(len(distinct)).to_numpy()
    return Things([*distinct.to_list(), None], codes)


def _numbered(series: Any, distinct: Any) -> Any:
    """Return the place of each text in ``distinct``, null for others: an Enum's cast is fastest."""
    return series.cast(sys.modules["polars"].Enum(distinct), strict=False).to_physical()


def _times(series: Any, kind: str, missing: Mask | None) -> Times:
    unit = "D" if kind == "Date" else series.dtype.time_unit
    ticks = series.to_physical().fill_null(0).to_numpy().astype(np.int64)
    # as numpy's microseconds, so that every library's times take one way
    micros, _, beyond = micros_of_array(ticks.view(f"datetime64[{unit.replace('μ', 'u')}]"))
    absent = np.zeros(len(ticks), dtype=bool) if missing is None else missing
    aware = kind == "Datetime" and series.dtype.time_zone is not None
    return Times(micros, absent, beyond & ~absent, aware)
