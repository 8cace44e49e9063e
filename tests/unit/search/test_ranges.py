"""Ranges: what was seen of each column, and where new values are usual."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Columns
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.graph.extras.ranges import Ranges
from drivetrain.search.ranges import find_ranges

CONTRACT = Contract(
    columns=(
        Column(name="age", kind="number"),
        Column(name="pay", kind="number"),
        Column(name="job", kind="category"),
        Column(name="id", kind="category"),
        Column(name="since", kind="datetime"),
        Column(name="v", kind="vector", width=2),
    ),
    target=Target(name="y", task="regression"),
)
ROWS = 1000


def columns(rows: int = ROWS) -> Columns:
    rng = np.random.default_rng(0)
    jobs = np.array(["clerk", "cook"], object)[rng.integers(0, 2, rows)]
    pay = rng.normal(size=rows)
    pay[0] = np.nan
    return {
        "age": rng.uniform(18, 65, rows), "pay": pay, "job": jobs,
        "id": np.array([f"n{i}" for i in range(rows)], object),
        "since": rng.integers(0, 10**15, rows), "v": rng.normal(size=(rows, 2)),
    }  # fmt: skip


def ranges(rows: int = ROWS) -> Ranges:
    found, _ = find_ranges(CONTRACT, columns(rows))
    assert found is not None
    return found


def test_no_row_of_training_is_out_of_range() -> None:
    assert not ranges().of(columns()).any()


def test_a_column_in_which_new_values_are_usual_is_not_looked_at() -> None:
    found, _ = find_ranges(CONTRACT, columns())
    assert found is not None
    levels = dict(zip(found.texts, found.levels, strict=True))
    assert levels == {"job": ("cook", "clerk"), "id": None}, "the most frequent first"
    few, _ = find_ranges(CONTRACT, {name: cells[:50] for name, cells in columns().items()})
    assert few is not None
    age = columns()["age"][:50]
    assert few.low[0] == age.min() - np.ptp(age), "of 50 rows, one in 25 new ones lies beyond"
    assert few.vectors == ()


def test_cells_that_were_never_seen_flag_their_row() -> None:
    base = {name: cells[1:2] for name, cells in columns().items()}
    found = ranges()
    assert not found.of(base)[0]
    for name, cell, is_out in (
        ("age", 99.0, True), ("age", np.nan, True), ("age", np.inf, True), ("pay", np.nan, False),
        ("job", "pilot", True), ("job", "", True), ("id", "new", False), ("id", "", True),
        ("since", MISSING_TIME, True), ("since", 10**16, False),
    ):  # fmt: skip
        row = {**base, name: np.array([cell], base[name].dtype)}
        assert found.of(row)[0] == is_out, (name, cell)
    assert found.of({**base, "v": np.array([[0.0, 50.0]])})[0]
    assert not found.of({**base, "v": np.array([[0.0, np.nan]])})[0]
