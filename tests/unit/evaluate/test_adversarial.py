"""Awkward rows hold what they promise, and threshold rows reach the nodes they aim at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.evaluate.adversarial import (
    YEAR_1,
    YEAR_9999_END,
    adversarial_columns,
    threshold_rows,
)
from drivetrain.evaluate.suspect import _path_nodes
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.blocks.trees import Trees


@pytest.fixture
def given(example: Callable[[str], Any]) -> Any:
    return example("binary")


def test_the_first_row_is_all_missing_and_each_column_is_alone_missing(given: Any) -> None:
    made = adversarial_columns(given.program.contract, given.held_out, 100)
    is_missing = np.array(
        [
            cells == MISSING_TIME
            if cells.dtype == np.int64
            else cells == ""
            if cells.dtype == object
            else np.isnan(cells)
            for cells in made.values()
        ]
    )
    assert is_missing[:, 0].all()
    assert is_missing[range(len(made)), range(1, len(made) + 1)].all()


def test_awkward_cells_of_every_kind_are_there(given: Any) -> None:
    made = adversarial_columns(given.program.contract, given.held_out, 400)
    numbers = made["X"]
    assert np.isposinf(numbers).any() and np.isneginf(numbers).any()
    assert (np.abs(numbers) == np.finfo(np.float64).max).any()
    assert ((numbers != 0) & (np.abs(numbers) < 1e-300)).any()
    assert (numbers == np.nextafter(3.0, np.inf)).any(), "the end of the range plus one ulp"
    assert {YEAR_1, YEAR_9999_END, MISSING_TIME + 1} <= set(made["since"].tolist())
    assert any(len(text) >= 10_000 for text in made["note"])
    assert any(not text.isascii() for text in made["city"])
    assert not set(made["city"]) <= {"Bern", "Genf", "Zürich", ""}


def test_the_same_seed_makes_the_same_rows_and_another_seed_others(given: Any) -> None:
    one, same, other = (
        adversarial_columns(given.program.contract, given.held_out, 60, seed) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(one[name], same[name], equal_nan=name in ("age", "X", "unused"))
               for name in one)  # fmt: skip
    assert not np.array_equal(one["note"], other["note"])


def test_threshold_rows_reach_every_node_on_and_beside_its_threshold(given: Any) -> None:
    trees = given.program.members[0].folds[0][0]
    assert isinstance(trees, Trees)
    base = given.answers["trees"].X[:3]
    rows = threshold_rows([trees], base, limit=10_000)
    reached: dict[int, set[float]] = {}
    for row in rows:
        for node in _path_nodes(trees, row).tolist():
            reached.setdefault(node, set()).add(float(row[trees.feature[node]]))
    for node, threshold in enumerate(trees.threshold.astype(np.float32).tolist()):
        beside = float(np.nextafter(np.float32(threshold), np.float32(np.inf)))
        assert {threshold, beside} <= reached[node]
    for root in trees.roots.tolist():
        assert any(np.isnan(value) for value in reached[root])


def test_threshold_rows_keep_the_limit_and_repeat_themselves(given: Any) -> None:
    blocks, base = given.program.members[0].folds[0], given.answers["trees"].X[:2]
    rows = threshold_rows(blocks, base, seed=3, limit=37)
    assert len(rows) == 37
    assert rows.dtype == np.float32
    assert np.array_equal(rows, threshold_rows(blocks, base, seed=3, limit=37), equal_nan=True)


def test_blocks_without_thresholds_give_the_rows_they_were_given() -> None:
    base = np.ones((2, 3), np.float32)
    assert np.array_equal(threshold_rows([Number("a", "features")], base), base)
