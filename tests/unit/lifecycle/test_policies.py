"""What a user says of the Contract when training: policies by column, and private columns."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import ContractError, DataError, SettingError
from drivetrain.core.progress import Reporter, silent
from drivetrain.lifecycle.training.policies import with_policies
from drivetrain.lifecycle.training.rows import Rows, make_rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.runtime.admit import admit

CONTRACT = Contract(
    columns=(
        Column(name="age", kind="number", low=0.0, high=9.0),
        Column(name="a.b", kind="category", categories=("x",)),
    ),
    target=Target(name="y", task="regression"),
)


def test_the_policy_of_a_column_beats_that_of_all() -> None:
    said = {"missing": "reject", "a.b.missing": "count", "a.b.unseen": "coerce"}
    contract = with_policies(CONTRACT, said | {"extra_column": "reject"}, [])
    assert [column.policy.missing for column in contract.columns] == ["reject", "count"]
    assert [column.policy.unseen for column in contract.columns] == ["count", "coerce"]
    assert (contract.extra_column, contract.missing_column) == ("reject", "reject")
    admitted = admit(contract, [{"age": 1, "a.b": "new"}, {"age": 1, "a.b": None}])
    assert admitted.breaches == {("a.b", "unseen"): 1, ("a.b", "missing"): 1}
    assert list(admitted.columns["a.b"]) == ["", ""]
    with pytest.raises(ContractError, match="column 'age', row 0: expected a value"):
        admit(contract, [{"age": None, "a.b": "x"}])
    with pytest.raises(ContractError, match="column 'c'"):
        admit(contract, [{"age": 1, "a.b": "x", "c": 1}])


@pytest.mark.parametrize(
    ("policies", "private", "told"),
    [
        ({"age.missing": "refuse"}, [], "expected reject, coerce, count"),
        ({"age.lost": "reject"}, [], "expected a breach"),
        ({"rage.missing": "reject"}, [], "expected an input column"),
        ({}, ["y"], "expected columns beside the target"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    policies: dict[str, str], private: list[str], told: str
) -> None:
    with pytest.raises(SettingError, match=told):
        with_policies(CONTRACT, policies, private)


def rows_of(**settings: Any) -> Rows:
    people = ["zqxanna", "ZQXANNA", "zqxbert", "zqx-none"] * 30
    frame = pl.DataFrame(
        {
            "person": people,
            "salary": ["zqxjunk" if n % 40 == 0 else f"{777_000 + n}" for n in range(120)],
            "age": [str(n % 50) if n % 7 else "" for n in range(120)],
            "y": [n % 2 for n in range(120)],
        }
    )
    chosen = TrainSettings(target="y", **settings)
    return make_rows(frame, chosen, Reporter(silent))


def told_of(rows: Rows) -> str:
    evidence = [column.evidence for column in rows.contract.columns]
    return repr((rows.findings, rows.decisions, evidence)).lower()


def test_nothing_of_a_private_columns_cells_is_told() -> None:
    assert "zqx" in told_of(rows_of()) and "777" in told_of(rows_of())
    rows = rows_of(private=("person", "salary"))
    told = told_of(rows)
    assert "zqx" not in told and "777" not in told
    assert [column.private for column in rows.contract.columns] == [True, True, False]
    assert {"person", "salary"} <= {name for found in rows.findings for name in found.columns}


def test_a_policy_holds_for_the_table_that_is_learned_from() -> None:
    assert rows_of(policy={"age.missing": "count"}).contract.column("age").policy.missing == "count"
    with pytest.raises(ContractError, match="column 'age', row 0: expected a value"):
        rows_of(policy={"age.missing": "reject"})
    with pytest.raises(DataError, match="no_such"):
        rows_of(private=("no_such",))
