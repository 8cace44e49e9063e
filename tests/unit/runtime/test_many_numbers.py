"""A wide row read at once is the row read cell by cell, bit for bit."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.contract import Column, Contract, Policy
from drivetrain.runtime import many_numbers
from drivetrain.runtime.admit import Admission, AdmittedRow

WIDTH = 40
CONTRACT = Contract(
    columns=(
        *(Column(name=f"n{at}", kind="number", low=-1e3, high=2.0**60) for at in range(WIDTH)),
        Column(name="lenient", kind="number", policy=Policy(junk="count", infinite="count")),
        Column(name="listed", kind="number", missing_values=("-1", "999")),
        Column(name="city", kind="category"),
    )
)
CELLS = st.one_of(
    st.floats(), st.integers(-(2**70), 2**70), st.none(), st.booleans(),
    st.sampled_from(["", "5", "1e3", "x", -0.0, 2**53, 2**53 + 1, 10**400]),
)  # fmt: skip
ROWS = st.dictionaries(st.sampled_from(CONTRACT.names), CELLS, max_size=6)


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> Admission:
    with monkeypatch.context() as patch:
        patch.setattr(many_numbers, "FEWEST", WIDTH * 10)
        return Admission(CONTRACT)


def seen(row: AdmittedRow | None) -> object:
    if row is None:
        return None
    return bits(row.cells), row.breaches


def bits(cells: Mapping[str, object]) -> dict[str, object]:
    return {
        name: struct.pack("d", cell) if isinstance(cell, float) else cell
        for name, cell in cells.items()
    }


def test_a_wide_row_is_the_same_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = one_by_one(monkeypatch), Admission(CONTRACT)
    assert not slow._many.names
    assert len(fast._many.names) == WIDTH + 1  # what may mean missing is looked at alone

    @given(ROWS)
    def same(odd: dict[str, object]) -> None:
        row = {name: float(at) for at, name in enumerate(CONTRACT.names)} | {"city": "Bern"} | odd
        assert seen(fast.admit_one(row)) == seen(slow.admit_one(row))

    same()


def test_a_row_without_a_column_goes_the_whole_way() -> None:
    row = dict.fromkeys(CONTRACT.names, 1.0) | {"city": ""}
    del row["n3"]
    assert Admission(CONTRACT).admit_one(row) is None
