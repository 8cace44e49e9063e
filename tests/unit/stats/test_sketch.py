"""Sketches count every row once, merge in any order, and stay small."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from drivetrain.stats.joint_sketch import sketch_joint
from drivetrain.stats.score_sketch import CELLS, cells, count_scores, grid
from drivetrain.stats.sketch import (
    LEVEL_BYTES,
    ColumnSketch,
    Cuts,
    Levels,
    empty_sketch,
    make_cuts,
    make_levels,
    merge_sketches,
    number_places,
    sketch_numbers,
    sketch_texts,
    text_places,
)

numbers = arrays(
    np.float64, st.integers(0, 60), elements=st.floats(allow_nan=True, allow_infinity=True)
)


def sketched(cuts: Cuts, values: np.ndarray) -> ColumnSketch:
    return sketch_numbers(cuts, values, number_places(cuts, values))


@given(first=numbers, second=numbers, third=numbers)
@settings(max_examples=80, deadline=None)
def test_merging_numbers_is_exact_in_any_order(first, second, third) -> None:
    cuts = make_cuts(first)
    whole = sketched(cuts, np.concatenate([first, second, third]))
    one, two, three = (sketched(cuts, part) for part in (first, second, third))
    assert merge_sketches(merge_sketches(one, two), three) == whole
    assert merge_sketches(three, merge_sketches(two, one)) == whole
    assert merge_sketches(whole, empty_sketch(cuts)) == whole
    assert whole.rows == len(first) + len(second) + len(third)


@given(st.lists(st.sampled_from(["", "a", "b", "c", "new", "newer"]), max_size=40), st.data())
@settings(max_examples=60, deadline=None)
def test_merging_texts_is_exact(texts, data) -> None:
    levels = Levels(names=("a", "b"))
    cut = data.draw(st.integers(0, len(texts)))

    def of(part: list[str]) -> ColumnSketch:
        array = np.array([*part, None], dtype=object)[:-1]
        return sketch_texts(levels, array, text_places(levels, array), frozenset("abc"))

    whole = of(texts)
    assert merge_sketches(of(texts[:cut]), of(texts[cut:])) == whole
    assert whole.unseen == sum(text.startswith("new") for text in texts)
    assert whole.missing == texts.count("")


def test_bins_hold_equal_shares_and_never_split_equal_values() -> None:
    values = np.concatenate([np.zeros(800), np.arange(200.0)])
    cuts = make_cuts(values)
    counts = sketched(cuts, values).counts
    assert counts[0] == 801  # all zeros, in one bin
    assert sum(counts) == 1000
    assert make_cuts(np.arange(1000.0)).count == 20
    assert set(sketched(make_cuts(np.arange(1000.0)), np.arange(1000.0)).counts) == {50}


def test_a_column_of_nothing_or_of_one_value_has_one_bin() -> None:
    assert make_cuts(np.full(5, np.nan)).count == 1
    assert make_cuts(np.full(5, 3.0)).count == 1


def test_the_range_counts_what_lies_outside() -> None:
    found = sketched(make_cuts(np.arange(10.0)), np.array([-1.0, 0.0, 9.0, 9.5, np.inf, np.nan]))
    assert (found.below, found.above, found.missing) == (1, 2, 1)


def test_levels_are_the_most_frequent_and_their_names_have_a_limit() -> None:
    assert make_levels(np.array(["b", "a", "b", "", ""], dtype=object)).names == ("b", "a")
    long = make_levels(np.array([f"{k}" * 500 for k in range(9)], dtype=object))
    assert sum(len(name) for name in long.names) <= LEVEL_BYTES


def test_a_sketch_takes_less_than_eight_kilobytes() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=10_000) * 1e300
    texts = np.array(["💡" * 100 + str(k) for k in random.integers(0, 500, 5000)], dtype=object)
    levels = make_levels(texts)
    for bins, found in (
        (make_cuts(values), sketched(make_cuts(values), values)),
        (levels, sketch_texts(levels, texts, text_places(levels, texts), frozenset())),
    ):
        assert len(msgspec.json.encode(bins)) + len(msgspec.json.encode(found)) < 8000


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50))
@settings(max_examples=60, deadline=None)
def test_every_probability_lies_in_the_cell_of_the_grid_that_is_nearest(chances) -> None:
    p = np.array(chances)
    places = cells(p)
    middle = grid()
    inside = (p > 1e-6) & (p < 1 - 1e-6)
    assert np.all(np.abs(middle[places] - p)[inside] < 0.01)
    counts = count_scores(p, p > 0.5)
    assert counts.shape == (2, CELLS)
    assert counts.sum() == len(p)
    assert counts[1].sum() == (p > 0.5).sum()
    assert counts.nbytes <= 8000


def test_joint_sketches_give_numpys_correlations_and_merge() -> None:
    rows = np.random.default_rng(1).normal(size=(500, 4)) @ np.triu(np.ones((4, 4)))
    found = sketch_joint(rows[:100]).merged(sketch_joint(rows[100:]))
    assert found.correlations() == pytest.approx(np.corrcoef(rows.T), abs=1e-9)
