"""What every source becomes: named columns of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from drivetrain.core.arrays import Mask
from drivetrain.core.errors import ContractError, Value
from drivetrain.runtime.forms import Cells


@dataclass(frozen=True)
class Source:
    """Rows on their way in.

    Attributes
    ----------
    cells
        The Contract's columns that are there, each of ``rows`` cells.
    absent
        Of a list of dicts, rows that lack a column which others have.
    extra
        Columns the Contract does not know as inputs, and how many rows have them.
    """

    rows: int
    cells: dict[str, Cells]
    absent: dict[str, Mask] = field(default_factory=dict)
    extra: dict[str, int] = field(default_factory=dict)


def check_names(names: Sequence[object]) -> None:
    """Refuse column names that are no texts, or that come twice."""
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str):
            raise ContractError(
                where="the column names",
                expected="texts",
                got=Value(name),
                remedy="Rename the columns to the names the model was trained with.",
                code="DT239",
            )
        if name in seen:
            raise ContractError(
                where=f"column '{name}'",
                expected="one column of this name",
                got="two",
                remedy="Drop or rename one of them.",
                code="DT239",
            )
        seen.add(name)
