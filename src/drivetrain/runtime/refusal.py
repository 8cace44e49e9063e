"""The one error that says which cells, and how many, the Contract refuses."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Contract
from drivetrain.core.errors import ContractError, Value
from drivetrain.runtime.forms import Cells
from drivetrain.runtime.kinds.reader import INFINITE, JUNK, MISSING, RANGE, UNSEEN, Reader

_CODES = {JUNK: "DT231", MISSING: "DT232", UNSEEN: "DT233", RANGE: "DT234", INFINITE: "DT235"}


@dataclass(frozen=True)
class _Refusal:
    order: tuple[int, int]  # row, then column; a missing or extra column comes before every row
    error: ContractError
    count: int


class Refusals:
    """Collects what is refused, so that one error can speak of all of it."""

    def __init__(self, contract: Contract) -> None:
        self._position = {name: number for number, name in enumerate(contract.names)}
        self._found: list[_Refusal] = []

    def cells(self, reader: Reader, breach: int, rows: Array, cells: Cells) -> None:
        """Refuse cells of one column for one breach."""
        row = int(rows[0])
        self._add(refused_cell(reader, breach, row, cells.cell(row)), reader, row, len(rows))

    def missing_column(self, name: str, row: int | None) -> None:
        """Refuse rows for a column that is not there; ``row`` where others have it."""
        error = ContractError(
            where=f"column '{name}'" + ("" if row is None else f", row {row}"),
            expected="to be there",
            got="no such column",
            remedy="Give it in every row, null where it has no value.",
            code="DT236",
        )
        self._found.append(_Refusal((-1, self._position[name]), error, 1))

    def extra_column(self, name: str) -> None:
        """Refuse a column that the Contract does not know."""
        error = ContractError(
            where=f"column '{name}'",
            expected="only columns of the Contract",
            got="this one",
            remedy="Leave it out.",
            code="DT237",
        )
        self._found.append(_Refusal((-1, len(self._position)), error, 1))

    def raise_if_any(self) -> None:
        """Raise the error of the first refused cell, with the count of the others."""
        if not self._found:
            return
        self._found.sort(key=lambda refusal: refusal.order)
        first = self._found[0].error
        others = sum(refusal.count for refusal in self._found) - 1
        if not others:
            raise first
        places = "; ".join(refusal.error.where for refusal in self._found[1:5])
        more = f" {others} more {'is' if others == 1 else 'are'} refused"
        remedy = first.remedy + more + (f": {places}." if places else ".")
        raise ContractError(
            where=first.where, expected=first.expected, got=first.got, remedy=remedy,
            code=first.code,
        )  # fmt: skip

    def _add(self, error: ContractError, reader: Reader, row: int, count: int) -> None:
        order = (row, self._position[reader.column.name])
        self._found.append(_Refusal(order, error, count))


def refused_cell(reader: Reader, breach: int, row: int, cell: object) -> ContractError:
    """Return the error for one cell that the policy refuses."""
    column = reader.column
    expected, remedy = {
        JUNK: (reader.expected, "Correct it, or set the column's policy for junk to coerce."),
        MISSING: ("a value", "Give one, or set the column's policy for missing to count."),
        UNSEEN: (
            "a category that training saw",
            "Correct it, or set the column's policy for unseen to count.",
        ),
        RANGE: (
            f"{reader.expected} from {column.low} to {column.high}"
            if not column.private
            else f"{reader.expected} in the range of training",
            "Correct it, or set the column's policy for range to count.",
        ),
        INFINITE: (
            "a finite number",
            "Correct it, or set the column's policy for infinite to coerce.",
        ),
    }[breach]
    return ContractError(
        where=f"column '{column.name}', row {row}",
        expected=expected,
        got=Value(cell),
        remedy=remedy,
        code=_CODES[breach],
    )
