"""Rows held by plain Python: a dict of one row, a list of dicts, a dict of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from drivetrain.core.contract import Contract
from drivetrain.core.errors import ContractError, Value
from drivetrain.runtime.forms import Cells, Things
from drivetrain.runtime.sources.source import Source, check_names

_ABSENT = object()


def one_row(source: Mapping[str, Any], scalars: Sequence[str]) -> bool:
    """Tell whether a dict is one row rather than a dict of arrays.

    It is one row if a known column that is no vector holds a scalar. Where only vectors are known,
    it is one row if they are lists of scalars.
    """
    known = [source[name] for name in scalars if name in source]
    if known:
        return not all(map(_is_many, known))
    return not any(_is_many(value) and _holds_many(value) for value in source.values())


def _is_many(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, (list, tuple)) or (
        hasattr(value, "__len__")
        and not isinstance(value, (str, bytes, bytearray, dict))
        and not isinstance(value, np.generic)
    )


def _holds_many(value: Any) -> bool:
    return len(value) == 0 or _is_many(value[0])


def of_records(rows: Sequence[object], contract: Contract) -> Source:
    """Read a list of dicts, one for each row; a key that a row lacks is an absent column there."""
    known = {*contract.names, *contract.ignored}
    if contract.target is not None:
        known.add(contract.target.name)
    extra: dict[str, int] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ContractError(
                where=f"row {number}",
                expected="an object of column names and values",
                got=Value(row),
                remedy="Give each row as a dict.",
                code="DT238",
            )
        if not row.keys() <= known:
            check_names(list(row))
            for name in row.keys() - known:
                extra[name] = extra.get(name, 0) + 1
    cells: dict[str, Cells] = {}
    absent = {}
    for name in contract.names:
        items = [row.get(name, _ABSENT) for row in rows]  # type: ignore[attr-defined]
        if _ABSENT in items:
            mask = np.array([item is _ABSENT for item in items])
            if mask.all():
                continue
            absent[name] = mask
            items = [None if item is _ABSENT else item for item in items]
        cells[name] = Things(items)
    if not rows:
        cells = {name: Things([]) for name in contract.names}
    return Source(rows=len(rows), cells=cells, absent=absent, extra=extra)


def of_arrays(
    source: Mapping[str, Any], contract: Contract, cells_of: Callable[[object], Cells]
) -> Source:
    """Read a dict of arrays of one length."""
    cells: dict[str, Cells] = {}
    rows = None
    first = ""
    for name, values in source.items():
        if not _is_many(values):
            raise _ragged(name, "an array of all rows, as the other columns are", Value(values))
        if rows is None:
            rows, first = len(values), name
        elif len(values) != rows:
            raise _ragged(name, f"{rows} cells, as column '{first}' has", f"{len(values)}")
        if name in contract.names:
            cells[name] = cells_of(values)
    known = {*contract.names, *contract.ignored}
    extra = {name: rows or 0 for name in source if name not in known}
    return Source(rows=rows or 0, cells=cells, extra=extra)


def _ragged(name: str, expected: str, got: str | Value) -> ContractError:
    return ContractError(
        where=f"column '{name}'",
        expected=expected,
        got=got,
        remedy="Give every column one cell for each row.",
        code="DT238",
    )
