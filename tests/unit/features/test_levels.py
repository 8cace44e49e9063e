"""Levels are the texts that training knows, most frequent first."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.contract import Column
from drivetrain.features.levels import find_levels, read_texts


def _cells(*texts: str) -> np.ndarray:
    return np.array(texts, object)


def test_frequent_levels_come_first_and_ties_go_by_text() -> None:
    levels = find_levels(_cells("b", "a", "c", "c", "", "b", "a"), limit=9, min_count=1)
    assert levels.keys == ("a", "b", "c", "")
    assert levels.codes.tolist() == [1, 0, 2, 2, 3, 1, 0]
    assert levels.counts.tolist() == [2, 2, 2, 1]


def test_rare_levels_and_those_past_the_limit_are_coded_as_unseen() -> None:
    cells = _cells("a", "a", "a", "b", "b", "c")
    assert find_levels(cells, limit=9, min_count=2).codes.tolist() == [0, 0, 0, 1, 1, 2]
    assert find_levels(cells, limit=1, min_count=1).codes.tolist() == [0, 0, 0, 1, 1, 1]


@given(st.lists(st.text(max_size=2), max_size=30), st.randoms())
def test_the_order_of_rows_changes_no_level(texts: list[str], random: object) -> None:
    shuffled = list(texts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = find_levels(_cells(*texts), limit=5, min_count=1)
    second = find_levels(_cells(*shuffled), limit=5, min_count=1)
    assert first.keys == second.keys


def test_numbers_and_booleans_are_read_as_whole_numbers() -> None:
    about = (Column(name="n", kind="number"), Column(name="b", kind="boolean"))
    columns = {"n": np.array([4.0, np.nan, 2.5]), "b": np.array([1.0, 0.0, np.nan])}
    assert read_texts(columns, about).cells.tolist() == ["4\x1f1", "\x1f0", "?\x1f"]
