"""Policies, columns that are absent or unknown, and rows in no usable form."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.core.contract import Action, Breach, Column, Contract, Kind, Policy, Target
from drivetrain.core.errors import ContractError, DataError
from drivetrain.runtime.admit import admit, admit_target


def contract(*columns: Column, **rules: Any) -> Contract:
    return Contract(columns=columns, **rules)


BREACHES: list[tuple[Kind, Breach, object, object, object]] = [
    # kind, breach, cell, what it is when counted, what it is when coerced
    ("number", "junk", "x", np.nan, np.nan),
    ("number", "missing", None, np.nan, np.nan),
    ("number", "range", 11, 11.0, 10.0),
    ("number", "range", -1, -1.0, 0.0),
    ("number", "infinite", float("inf"), np.inf, np.nan),
    ("boolean", "junk", "perhaps", np.nan, np.nan),
    ("boolean", "missing", "", np.nan, np.nan),
    ("category", "junk", {"x": 1}, "", ""),
    ("category", "missing", None, "", ""),
    ("category", "unseen", "z", "z", ""),
    ("datetime", "junk", "soon", MISSING_TIME, MISSING_TIME),
    ("datetime", "missing", None, MISSING_TIME, MISSING_TIME),
    ("datetime", "range", "1970-01-02", 86_400_000_000, 10),
]


@pytest.mark.parametrize("case", BREACHES, ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("action", ["reject", "count", "coerce"])
def test_a_policy_decides_about_its_breach(
    action: Action, rows: int, case: tuple[Kind, Breach, object, object, object]
) -> None:
    kind, breach, cell, counted, coerced = case
    policy = Policy(**{breach: action})
    ruled = contract(Column(name="c", kind=kind, low=0, high=10, categories=("a",), policy=policy))
    source: Any = {"c": cell} if rows == 1 else [{"c": cell}] * rows
    if action == "reject":
        with pytest.raises(ContractError, match="column 'c', row 0: expected .*, got "):
            admit(ruled, source)
        return
    admitted = admit(ruled, source)
    expected = counted if action == "count" else coerced
    np.testing.assert_array_equal(admitted.columns["c"], [expected] * rows)
    assert admitted.breaches == {("c", breach): rows}


def test_one_error_speaks_of_the_first_refused_cell_and_counts_the_others() -> None:
    ruled = contract(Column(name="a", kind="number"), Column(name="b", kind="boolean"))
    rows = [{"a": 1, "b": True}] * 17 + [{"a": 1, "b": "?"}] + [{"a": "x", "b": "?"}] * 2
    with pytest.raises(ContractError) as refused:
        admit(ruled, rows)
    assert str(refused.value).startswith("column 'b', row 17: expected a boolean, got '?'.")
    assert "4 more are refused: column 'a', row 18." in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [{"a": 1}, [{"a": 1}, {"a": 2}], {"a": [1, 2]}, pl.DataFrame({"a": [1, 2]}),
     pd.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 2]}).to_arrow()],
)  # fmt: skip
def test_a_missing_column_is_refused_or_missing_throughout(source: Any) -> None:
    columns = (Column(name="a", kind="number"), Column(name="b", kind="category"))
    with pytest.raises(ContractError, match="column 'b'.*: expected to be there"):
        admit(contract(*columns), source)
    admitted = admit(contract(*columns, missing_column="count"), source)
    assert set(admitted.columns["b"]) == {""}
    assert admitted.breaches == {("b", "missing_column"): admitted.rows}


def test_a_row_that_lacks_a_column_others_have_is_treated_as_if_alone() -> None:
    columns = (Column(name="a", kind="number"), Column(name="b", kind="number"))
    rows = [{"a": 1, "b": 2}, {"a": 1}]
    with pytest.raises(ContractError, match="column 'b', row 1: expected to be there"):
        admit(contract(*columns), rows)
    admitted = admit(contract(*columns, missing_column="coerce"), rows)
    assert admitted.breaches == {("b", "missing_column"): 1}
    assert np.isnan(admitted.columns["b"]).tolist() == [False, True]


def test_an_unknown_column_is_counted_or_refused_and_target_and_ignored_are_known() -> None:
    ruled = contract(
        Column(name="a", kind="number"), ignored=("id",), target=Target(name="y", task="regression")
    )
    for source in ({"a": 1, "id": 7, "y": 0, "z": 1}, pl.DataFrame({"a": [1], "id": 7, "z": 1})):
        assert admit(ruled, source).breaches == {("z", "extra_column"): 1}
    strict = Contract(columns=ruled.columns, extra_column="reject")
    with pytest.raises(ContractError, match="column 'z': expected only columns of the Contract"):
        admit(strict, {"a": 1, "z": 1})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"a": [1, 2], "b": [1]}, "column 'b': expected 2 cells, as column 'a' has, got 1"),
        ({1: 2, "a": 1}, "the column names: expected texts, got 1"),
        (pd.DataFrame({1: [2]}), "the column names: expected texts, got 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "column 'a': expected one column"),
        ([{"a": 1, "b": 1}, [1, 2]], "row 1: expected an object of column names and values"),
        ("a,b\n1,2", "the rows: expected a dict, a list of dicts, or a"),
        (np.zeros((2, 2)), "the rows: expected a dict"),
        (pl.LazyFrame({"a": [1]}), "a LazyFrame is collected first"),
        (pl.Series("a", [1]), "the rows: expected a dict"),
        (None, "the rows: expected a dict"),
    ],
)  # fmt: skip
def test_rows_in_no_usable_form_are_refused_with_a_remedy(source: Any, said: str) -> None:
    ruled = contract(Column(name="a", kind="number"), Column(name="b", kind="number"))
    with pytest.raises(ContractError) as refused:
        admit(ruled, source)
    assert said in str(refused.value)


def test_a_dict_is_one_row_or_arrays_by_its_known_columns() -> None:
    vector = Column(name="v", kind="vector", width=2)
    both = contract(Column(name="a", kind="number"), vector)
    assert admit(both, {"a": 1, "v": [1, 2]}).rows == 1
    assert admit(both, {"a": [1, 2], "v": [[1, 2], [3, 4]]}).rows == 2
    assert admit(both, {"a": [1, 2], "v": np.zeros((2, 2))}).columns["v"].shape == (2, 2)
    assert admit(contract(vector), {"v": [1, 2]}).rows == 1
    assert admit(contract(vector), {"v": [[1, 2], [3, 4]]}).rows == 2
    assert admit(contract(vector), {"v": "[1, null]"}).columns["v"][0, 0] == 1
    for cell in ([1], [1, "2"], "x", 3, [1, [2]]):
        with pytest.raises(ContractError, match="expected a list of 2 numbers"):
            admit(contract(vector), {"v": cell})


def test_a_nested_cell_in_one_row_is_named() -> None:
    ruled = contract(Column(name="a", kind="number"), Column(name="b", kind="number"))
    with pytest.raises(ContractError, match=r"column 'b', row 0: expected a number, got \[1\]"):
        admit(ruled, {"a": 1, "b": [1]})


def test_an_integer_too_long_to_write_is_refused_without_being_written() -> None:
    with pytest.raises(ContractError, match="got a number"):
        admit(contract(Column(name="a", kind="category")), [{"a": 10**5000}])


def test_the_source_is_left_as_it_was() -> None:
    ruled = contract(
        Column(name="a", kind="number", high=1, missing_values=("2",),
               policy=Policy(range="coerce", infinite="coerce")),
        Column(name="v", kind="vector", width=1, policy=Policy(infinite="coerce")),
    )  # fmt: skip
    array = np.array([-0.0, 2.0, 5.0, np.inf])
    source = {"a": array, "v": array[:, None].copy()}
    before = copy.deepcopy(source)
    found = admit(ruled, source).columns["a"]
    assert np.array_equal(found, [0, np.nan, 1, np.nan], equal_nan=True)
    for name in source:
        assert source[name].tobytes() == before[name].tobytes()
    frame = pl.DataFrame({"a": array, "v": [[1.0]] * 4})
    copied = frame.clone()
    admit(ruled, frame)
    assert frame.equals(copied)


def test_a_targets_cells_become_class_numbers_or_values() -> None:
    binary = Target(name="y", task="binary", classes=("0", "1"), label_type="int")
    for cells in ([0, 1.0, "1"], ["0", "1.0", " 1"], pl.Series([0, 1, 1]), pd.Series([0, 1, 1])):
        assert admit_target(binary, cells).tolist() == [0, 1, 1]
    truth = Target(name="y", task="binary", classes=("false", "true"), label_type="string")
    assert admit_target(truth, pl.Series([True, False])).tolist() == [1, 0]
    value = Target(name="y", task="regression")
    assert admit_target(value, np.array(["1.5", "2"])).tolist() == [1.5, 2]
    for target, cells, said in (
        (binary, [0, 2], "row 1: expected one of '0', '1', got 2"),
        (binary, [None, 1], "row 0: expected one of '0', '1', got None"),
        (value, [1, "x", None], "row 1: expected a finite number, got 'x'"),
        (value, [1, np.inf], "row 1: expected a finite number, got inf"),
    ):
        with pytest.raises(DataError) as refused:
            admit_target(target, cells)
        assert said in str(refused.value)


def test_a_column_without_a_name_is_called_alike_in_frames_and_tables() -> None:
    contract = Contract(columns=(Column(name="Unnamed: 0", kind="number"),))
    frame = pl.DataFrame({"": [1.0, 2.0]})
    for source in (frame, frame.to_arrow(), pd.DataFrame({"Unnamed: 0": [1.0, 2.0]})):
        assert admit(contract, source).columns["Unnamed: 0"].tolist() == [1.0, 2.0]
