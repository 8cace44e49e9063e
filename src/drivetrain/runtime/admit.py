"""Turn cells into typed columns under a Contract: the one function for training and serving.

``sources/`` finds the columns in whatever holds the rows, ``kinds/`` reads their cells, and here
the Contract's policies decide what becomes of each breach: refuse all rows, put a stand-in, or
let it pass and count it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector
from drivetrain.core.contract import Breach, Column, Contract, Target
from drivetrain.core.errors import DataError, Value
from drivetrain.runtime.forms import Cells, Coded
from drivetrain.runtime.kinds import reader_of
from drivetrain.runtime.kinds.number import NumberReader
from drivetrain.runtime.kinds.reader import BREACHES, INFINITE, JUNK, MISSING, Reader, Reading
from drivetrain.runtime.kinds.text import TextReader
from drivetrain.runtime.many_numbers import ManyNumbers
from drivetrain.runtime.refusal import Refusals
from drivetrain.runtime.sources import cells_of, open_source
from drivetrain.runtime.sources.source import Source

_ABSENT = object()
_SCALARS = frozenset({str, float, int, bool, type(None)})
Breaches = dict[tuple[str, Breach], int]


@dataclass(frozen=True)
class Admitted:
    """Typed columns of ``rows`` rows, and how often each column breached the Contract.

    ``coded`` has text columns in another form as well, where their texts repeat.
    """

    columns: Columns
    rows: int
    breaches: Breaches
    coded: Mapping[str, Coded] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdmittedRow:
    """The cells of one row, typed as its columns are, and how it breached the Contract."""

    cells: Mapping[str, Any]
    breaches: Breaches


def admit(contract: Contract, source: object) -> Admitted:
    """Read rows from whatever holds them into typed columns.

    Parameters
    ----------
    source
        A dict of one row, a list of such dicts, a dict of arrays, or a Polars, pandas or Arrow
        frame. It is not changed. Columns may come in any order.

    Raises
    ------
    ContractError
        If a cell, a missing or an extra column breaches the Contract where the policy says
        reject. It names the first such cell, and counts the others.

    Examples
    --------
    >>> contract = Contract(columns=(Column(name="age", kind="number"),))
    >>> admit(contract, [{"age": "39"}, {"age": None}]).columns["age"]
    array([39., nan])
    """
    return Admission(contract).admit(source)


class Admission:
    """A Contract made ready: what :func:`admit` does, for many sources."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.readers: Mapping[str, Reader] = {
            column.name: reader_of(column) for column in contract.columns
        }
        self._many = ManyNumbers(self.readers)
        self._each = [(name, reader, reader.known) for name, reader in self.readers.items()]
        many = frozenset(self._many.names)
        self._by_name = {each[0]: each for each in self._each}
        self._others = [each for each in self._each if each[0] not in many]
        self._has_vectors = any(column.kind == "vector" for column in contract.columns)
        self.known = {*contract.names, *contract.ignored}
        if contract.target is not None:
            self.known.add(contract.target.name)

    def admit(self, source: object) -> Admitted:
        """Read rows; see :func:`admit`."""
        row = self.admit_one(source)
        if row is not None:
            return Admitted(self._columns_of(row.cells), 1, row.breaches)
        found = open_source(source, self.contract)
        refusals = Refusals(self.contract)
        breaches: Breaches = {}
        self._check_names(found, refusals, breaches)
        columns, coded = {}, {}
        for name, reader in self.readers.items():
            cells = found.cells.get(name)
            if cells is None:
                columns[name] = reader.pack([reader.absent] * found.rows)
                continue
            reading = _settle(reader, cells, found, refusals, breaches)
            columns[name] = reading.values
            if reading.coded is not None:
                coded[name] = reading.coded
        refusals.raise_if_any()
        return Admitted(columns, found.rows, breaches, coded)

    def admit_one(self, source: object) -> AdmittedRow | None:
        """Admit a dict of one row, or a list of one, without what only tables need.

        None for other sources and where the whole way must decide: where a column is absent or
        unknown or a vector, or a policy has more to do than to count.
        """
        row = source[0] if type(source) is list and len(source) == 1 else source
        if type(row) is not dict or self._has_vectors:
            return None
        if not (len(row) == len(self.readers) or row.keys() <= self.known):
            return None
        cells: dict[str, Any] = {}
        breaches: Breaches = {}
        each = self._each
        numbers = self._many.read(row)
        if numbers is not None:
            cells, odd = numbers
            each = [*self._others, *(self._by_name[name] for name in odd)] if odd else self._others
        for name, reader, known in each:
            cell = row.get(name, _ABSENT)
            kind = type(cell)
            if kind not in _SCALARS:
                return None
            pair = known.get(cell) if kind is str else None  # 2 of 9 us a row
            value, breach = pair if pair is not None else reader.read_again(cell)
            if breach:
                if reader.actions[breach] != "count":
                    return None
                breaches[name, BREACHES[breach]] = 1
            cells[name] = value
        return AdmittedRow(cells, breaches)

    def _columns_of(self, cells: Mapping[str, Any]) -> Columns:
        columns: Columns = {}
        for name, reader in self.readers.items():
            column = np.empty(1, reader.dtype)
            column[0] = cells[name]
            columns[name] = column
        return columns

    def _check_names(self, found: Source, refusals: Refusals, breaches: Breaches) -> None:
        for name in self.readers:
            absent = found.absent.get(name)
            if name in found.cells and absent is None:
                continue
            if self.contract.missing_column == "reject":
                first = None if absent is None else int(np.argmax(absent))
                refusals.missing_column(name, first)
            count = found.rows if absent is None else int(absent.sum())
            breaches[name, "missing_column"] = count
        for name, count in found.extra.items():
            if name in self.known:
                continue
            if self.contract.extra_column == "reject":
                refusals.extra_column(name)
            breaches[name, "extra_column"] = count


def _settle(
    reader: Reader, cells: Cells, found: Source, refusals: Refusals, breaches: Breaches
) -> Reading:
    """Read one column and let its policy decide about each breach."""
    reading = reader.read_many(cells)
    name = reader.column.name
    said = reading.breaches
    if name in found.absent:  # counted as a missing column already
        said = np.where(found.absent[name], np.uint8(0), said)
    if not said.any():
        return reading
    counts = np.bincount(said, minlength=len(BREACHES))
    for breach in range(1, len(BREACHES)):
        if not counts[breach]:
            continue
        action = reader.actions[breach]
        breaches[name, BREACHES[breach]] = int(counts[breach])
        if action == "count":
            continue
        rows = np.flatnonzero(said == breach)
        if action == "reject":
            refusals.cells(reader, breach, rows, cells)
        else:
            reader.coerce(reading.values, breach, rows)
            reading = replace(reading, coded=None)
    return reading


def admit_target(target: Target, cells: object) -> FloatVector:
    """Read the target's cells: class numbers, or the values of a regression, float64 (n,).

    Parameters
    ----------
    cells
        A Series, an array or a list.

    Raises
    ------
    DataError
        If a cell is missing, no number or infinite (regression), or of an unknown class.
    """
    found = cells_of(cells)
    column = Column(name=target.name, kind="number", missing_values=target.missing_values)
    if target.task == "regression":
        reading = NumberReader(column).read_many(found)
        refused = np.isin(reading.breaches, (JUNK, MISSING, INFINITE))
        _refuse_target(target, found, np.flatnonzero(refused), "a finite number")
        return reading.values
    numbers = {label: float(number) for number, label in enumerate(target.classes)}
    distinct, codes = _distinct_texts(column, found)
    known = np.array([numbers.get(text, np.nan) for text in distinct], dtype=np.float64)
    values = known[codes]
    some = ", ".join(f"'{label}'" for label in target.classes[:8])
    more = "" if len(target.classes) <= 8 else f" and {len(target.classes) - 8} more"
    _refuse_target(target, found, np.flatnonzero(np.isnan(values)), f"one of {some}{more}")
    return values


def _distinct_texts(column: Column, cells: Cells) -> tuple[list[str], Array]:
    texts = TextReader(column).read_many(cells).values.tolist()
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return list(numbers), np.array([numbers[text] for text in texts], dtype=np.int64)


def _refuse_target(target: Target, cells: Cells, rows: Array, expected: str) -> None:
    if not len(rows):
        return
    row = int(rows[0])
    others = "" if len(rows) == 1 else f" {len(rows) - 1} more rows have no usable target."
    raise DataError(
        where=f"target '{target.name}', row {row}",
        expected=expected,
        got=Value(cells.cell(row)),
        remedy=f"Correct the row or leave it out.{others}",
        code="DT225",
    )
