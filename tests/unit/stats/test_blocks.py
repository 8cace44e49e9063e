"""Rows of a series or of groups are drawn together: intervals are as wide as they must be."""

from __future__ import annotations

import numpy as np
import pytest

from drivetrain.stats.blocks import block_length, block_weights, group_weights
from drivetrain.stats.intervals import paired_bootstrap

ROWS, TRIALS = 500, 60


def series(seed: int, *, alike: float, rows: int = ROWS) -> np.ndarray:
    """Draw an autoregressive series around 0; ``alike`` is the correlation of neighbours."""
    random = np.random.default_rng(seed)
    steps = random.normal(size=rows)
    values = np.empty(rows)
    values[0] = steps[0] / np.sqrt(1 - alike**2)
    for row in range(1, rows):
        values[row] = alike * values[row - 1] + steps[row]
    return values


def misses(alike: float, *, blocks: bool) -> float:
    """Return how often a 90 % interval of a mean that is 0 does not hold 0."""
    found = 0
    for trial in range(TRIALS):
        errors = series(trial, alike=alike)
        length = block_length(errors) if blocks else 1
        draws = block_weights(ROWS, length, resamples=200, seed=trial)
        means = [float(draw @ errors) / draw.sum() for draw in draws]
        low, high = np.quantile(means, [0.05, 0.95])
        found += not low < 0 < high
    return found / TRIALS


def test_intervals_of_a_series_are_too_narrow_row_by_row_and_not_in_blocks() -> None:
    assert misses(0.8, blocks=False) > 0.35
    assert misses(0.8, blocks=True) < 0.25


@pytest.mark.parametrize("seed", range(10))
def test_rows_that_are_alone_are_drawn_alone(seed) -> None:
    assert block_length(series(seed, alike=0.0, rows=3000)) <= 2


def test_blocks_grow_with_what_rows_have_in_common() -> None:
    lengths = [block_length(series(0, alike=alike, rows=3000)) for alike in (0.0, 0.5, 0.9)]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 10


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros(100), np.arange(10.0)])
def test_what_has_no_spread_or_no_length_needs_no_blocks(values) -> None:
    assert block_length(values) == 1 if len(values) else True


def test_every_resample_has_as_many_rows_and_every_row_the_same_chance() -> None:
    draws = np.array(list(block_weights(103, 10, resamples=2000, seed=0)))
    assert set(draws.sum(axis=1)) == {103.0}
    assert abs(draws.mean(axis=0) - 1).max() < 0.15


def test_groups_are_drawn_whole() -> None:
    group = np.repeat(np.array(["a", "b", "c", "d"], dtype=object), [1, 5, 5, 9])
    for draw in group_weights(group, resamples=20, seed=0):
        for key in "abcd":
            assert len(set(draw[group == key])) == 1


def test_a_gain_that_is_one_group_s_alone_is_not_sure() -> None:
    group = np.arange(400) // 40
    y = np.zeros(400)
    worse = np.where(group == 0, 3.0, 1.0)
    one_by_one = paired_bootstrap("mae", y, np.ones(400), worse)
    draws = group_weights(group, resamples=1000, seed=0)
    assert one_by_one.low > 0
    assert paired_bootstrap("mae", y, np.ones(400), worse, draws=draws).low == 0
