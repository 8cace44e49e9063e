"""Tables in memory and columnar files, brought to Polars frames of plain types."""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from drivetrain.core.contract import named
from drivetrain.core.errors import DataError
from drivetrain.data.read import refuse_duplicate_names

if TYPE_CHECKING:
    import polars as pl

EXACT = 2**53  # integers up to here are exact in double


def from_memory(source: Any) -> pl.DataFrame:
    """Bring a Polars, pandas or pyarrow table to Polars; DataError for anything else."""
    import polars as pl

    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if isinstance(source, pl.DataFrame):
        return source
    library = type(source).__module__.partition(".")[0]
    if library == "pandas" and hasattr(source, "columns"):
        return _from_pandas(source)
    if library == "pyarrow" and hasattr(source, "column_names"):
        refuse_duplicate_names(list(source.column_names), "dataframe")
        frame = pl.from_arrow(source)
        if isinstance(frame, pl.DataFrame):
            return frame
    raise DataError(
        where="data",
        expected="a path, or a Polars, pandas or pyarrow table",
        got=f"a {type(source).__name__}",
        remedy="Give one of these.",
        code="DT2C2",
    )


def from_columnar(data: bytes, suffix: str, source: str) -> pl.DataFrame:
    """Read the bytes of a Parquet, Arrow or Feather file."""
    import polars as pl

    try:
        if suffix == ".parquet":
            return pl.read_parquet(io.BytesIO(data))
        if data.startswith(b"ARROW1"):
            return pl.read_ipc(io.BytesIO(data))
        return pl.read_ipc_stream(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(
            where=source,
            expected=f"a readable {suffix[1:]} file",
            got=str(error).splitlines()[0],
            remedy="Write or fetch the file again.",
            code="DT2C6",
        ) from error


def _from_pandas(source: Any) -> pl.DataFrame:
    import polars as pl

    names = [str(name) for name in source.columns]
    refuse_duplicate_names(names, "dataframe")
    columns = []
    for at, name in enumerate(names):
        values = source.iloc[:, at]
        dtype = values.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
            columns.append(pl.Series(name, values.to_numpy()))
        elif isinstance(dtype, np.dtype) and dtype.kind == "M":
            columns.append(pl.Series(name, values.to_numpy().astype("datetime64[us]")))
        else:
            cells = values.astype(object)
            columns.append(column_of(name, cells.where(cells.notna(), None).tolist(), "dataframe"))
    return pl.DataFrame(columns)


def frame_of(columns: Mapping[str, Sequence[Any]], source: str) -> pl.DataFrame:
    """Make a frame of lists of Python values, None where missing."""
    import polars as pl

    return pl.DataFrame([column_of(name, cells, source) for name, cells in columns.items()])


def column_of(name: str, cells: Sequence[Any], source: str) -> pl.Series:
    """Make a column of Python values that keeps what each cell means.

    Values of one type keep it. Where types are mixed, or whole numbers would lose digits beside
    fractions, every cell becomes its canonical text: 4 and "4" are the same cell.
    """
    import polars as pl

    cells = [_plain(cell) for cell in cells]
    types = {type(cell) for cell in cells if cell is not None}
    if not types or types == {str}:
        return pl.Series(name, cells, dtype=pl.String)
    if types == {bool}:
        return pl.Series(name, cells, dtype=pl.Boolean)
    if types == {int} and all(cell is None or -(2**63) <= cell < 2**63 for cell in cells):
        return pl.Series(name, cells, dtype=pl.Int64)
    if types <= {int, float} and all(not isinstance(c, int) or abs(c) <= EXACT for c in cells):
        return pl.Series(name, cells, dtype=pl.Float64, strict=False)
    if types <= {datetime.datetime, datetime.date}:
        return pl.Series(name, [_moment(cell) for cell in cells], dtype=pl.Datetime("us"))
    if types <= {list, tuple}:
        return _vector_of(name, cells, source)
    if types & {list, tuple, dict}:
        raise _nested(name, source)
    from drivetrain.runtime.cells import canonical

    texts = [None if cell is None else canonical(cell) for cell in cells]
    return pl.Series(name, texts, dtype=pl.String)


def _plain(cell: Any) -> Any:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, Decimal):
        cell = int(cell) if cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    if isinstance(cell, datetime.datetime) and hasattr(cell, "to_pydatetime"):
        return cell.to_pydatetime(warn=False)  # pandas' Timestamp
    return cell


def _moment(cell: Any) -> Any:
    """Bring a date or a datetime with a zone to a datetime in UTC without one."""
    if cell is None:
        return None
    if not isinstance(cell, datetime.datetime):
        return datetime.datetime(cell.year, cell.month, cell.day)
    return cell.astimezone(datetime.UTC).replace(tzinfo=None) if cell.tzinfo else cell


def _vector_of(name: str, cells: Sequence[Any], source: str) -> pl.Series:
    import polars as pl

    for cell in cells:
        for item in cell or ():
            if item is not None and (isinstance(item, bool) or not isinstance(item, (int, float))):
                raise _nested(name, source)
    return pl.Series(name, cells, dtype=pl.List(pl.Float64), strict=False)


def _nested(name: str, source: str) -> DataError:
    return DataError(
        where=f"{source}, column '{name}'",
        expected="plain values or lists of numbers",
        got="nested values",
        remedy="Spread them over columns of their own.",
        code="DT2C1",
    )


def with_plain_types(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    """Cast the types that nothing further down reads: categoricals, decimals, wide integers.

    Columns without a name get one.
    """
    frame = frame.rename(dict(zip(frame.columns, named(frame.columns), strict=True)))
    return frame.with_columns([_with_plain_type(column, source) for column in frame.iter_columns()])


def _with_plain_type(column: pl.Series, source: str) -> pl.Series:
    import polars as pl

    dtype = column.dtype
    if isinstance(dtype, (pl.Categorical, pl.Enum, pl.Time, pl.Null)):
        return column.cast(pl.String)
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.Float64)
    if isinstance(dtype, (pl.UInt64, pl.Int128)):
        small = column.cast(pl.Int64, strict=False)
        return small if small.null_count() == column.null_count() else column.cast(pl.String)
    if isinstance(dtype, pl.Object):
        return column_of(column.name, column.to_list(), source)
    is_list = isinstance(dtype, (pl.List, pl.Array))
    if is_list and getattr(dtype, "inner", pl.String()).is_numeric():
        return column.cast(pl.List(pl.Float64))
    return column  # structs, bytes and durations stay: infer refuses them unless they are dropped
