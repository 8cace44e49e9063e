"""Rows of usual cells in an unusual combination are flagged, rows like those of training hardly."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Column, Contract
from drivetrain.search.ranges import find_ranges
from drivetrain.search.together import RATE

CONTRACT = Contract(
    columns=(
        Column(name="weight", kind="number"),
        Column(name="height", kind="number"),
        Column(name="sort", kind="category"),
        Column(name="note", kind="text"),
    )
)


def rows(count: int, seed: int, *, are_related: bool = True) -> Columns:
    rng = np.random.default_rng(seed)
    sort = rng.integers(0, 4, count)
    height = rng.normal(size=count) + are_related * 2.0 * sort
    weight = 3.0 * height + rng.normal(size=count) if are_related else rng.normal(size=count)
    weight[rng.random(count) < 0.1] = np.nan
    return {
        "weight": weight,
        "height": height,
        "sort": np.array(["a", "b", "c", "d"], object)[sort],
        "note": np.array([f"note {number}" for number in rng.integers(0, 10**9, count)], object),
    }


def test_one_in_a_hundred_rows_like_those_of_training_and_most_scrambled_ones_are_flagged() -> None:
    found, decision = find_ranges(CONTRACT, rows(4000, 0))
    assert found is not None and found.together is not None
    assert "1% of rows like those of training" in decision.reason
    new = rows(20_000, 1)
    assert 0.3 * RATE < found.of(new).mean() < 2 * RATE
    rng = np.random.default_rng(2)
    scrambled = {name: rng.permutation(cells) for name, cells in new.items()}
    assert found.of(scrambled).mean() > 0.4


def test_the_same_rows_give_the_same_trees() -> None:
    once, again = (find_ranges(CONTRACT, rows(2000, 0), seed=3)[0] for _ in range(2))
    assert once is not None and once.together is not None
    assert again is not None and again.together is not None
    assert once.together.trees.leaf.tolist() == again.together.trees.leaf.tolist()
    assert once.together.least == again.together.least


def test_columns_that_tell_nothing_of_each_other_and_few_rows_are_not_looked_at_together() -> None:
    for data, words in (
        (rows(3000, 0, are_related=False), "tell little of each other"),
        (rows(100, 0), "too few rows"),
    ):
        found, decision = find_ranges(CONTRACT, data)
        assert found is not None and found.together is None
        assert words in decision.reason
