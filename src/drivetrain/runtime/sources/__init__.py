"""Where rows come from: one file for each kind of object that holds them.

Frames are known by the module of their class, never by an import: scoring needs none of these
libraries, and whoever hands over a frame has its library loaded.
"""

from __future__ import annotations

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Contract
from drivetrain.core.errors import ContractError
from drivetrain.runtime.forms import Cells, Things
from drivetrain.runtime.sources import arrow_table, pandas_frame, polars_frame
from drivetrain.runtime.sources.numpy_array import cells_of_array
from drivetrain.runtime.sources.python_rows import of_arrays, of_records, one_row
from drivetrain.runtime.sources.source import Source, check_names

_FRAMES = {
    "polars": polars_frame.read,
    "pandas": pandas_frame.read,
    "pyarrow": arrow_table.read,
}
_SERIES = {
    "polars": polars_frame.cells_of,
    "pandas": pandas_frame.cells_of,
    "pyarrow": arrow_table.cells_of,
}


def library_of(value: object) -> str:
    """Return the library that an object's class, or a class it inherits, comes from."""
    for base in type(value).__mro__:
        root = base.__module__.partition(".")[0]
        if root in _FRAMES:
            return root
    return type(value).__module__.partition(".")[0]


def open_source(source: object, contract: Contract) -> Source:
    """Read the columns of ``contract`` from whatever holds rows.

    Parameters
    ----------
    source
        A dict of one row, a list of such dicts, a dict of arrays, or a Polars, pandas or Arrow
        frame. It is not changed.

    Raises
    ------
    ContractError
        If it is none of these, or its columns have no or equal names or unequal lengths.
    """
    if isinstance(source, dict):
        check_names(list(source))
        scalars = [column.name for column in contract.columns if column.kind != "vector"]
        if one_row(source, scalars):
            return of_records([source], contract)
        return of_arrays(source, contract, cells_of)
    if isinstance(source, (list, tuple)):
        return of_records(source, contract)
    read = _FRAMES.get(library_of(source))
    found = None if read is None else read(source, contract)
    if found is None:
        raise ContractError(
            where="the rows",
            expected="a dict, a list of dicts, or a Polars, pandas or Arrow table",
            got=f"a {type(source).__name__}",
            remedy="Give the rows in one of these forms; a LazyFrame is collected first.",
            code="DT2N1",
        )
    return found


def cells_of(values: object) -> Cells:
    """Give one column of any library in the form that is cheapest to read."""
    read = _SERIES.get(library_of(values))
    if read is not None:
        return read(values)
    if library_of(values) == "numpy":
        array: Array = values  # type: ignore[assignment]
        return cells_of_array(array)
    return Things(list(values))  # type: ignore[call-overload]
