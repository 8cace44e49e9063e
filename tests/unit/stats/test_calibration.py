"""Reliability tables tell honest probabilities from dishonest ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.stats.calibration import calibration, reliability, wilson


def test_honest_probabilities_lie_inside_their_intervals():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    table = reliability((rng.random(20_000) < p).astype(float), p)
    assert len(table) == 10
    inside = sum(part.observed_low <= part.predicted <= part.observed_high for part in table)
    assert inside >= 8


def test_overconfident_probabilities_show():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    event = (rng.random(20_000) < p).astype(float)
    overconfident = np.clip(2 * p - 0.5, 0.001, 0.999)
    assert calibration(event, p, name="x").error < 0.02
    assert calibration(event, overconfident, name="x").error > 0.1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=60),
       st.integers(1, 12))  # fmt: skip
def test_every_row_is_in_one_bin_and_equal_probabilities_are_not_split(values, bins):
    p = np.array(values)
    table = reliability((p > 0.4).astype(float), p, bins=bins)
    assert sum(part.rows for part in table) == len(p)
    assert all(a.high < b.low for a, b in pairwise(table))


def test_wilson_gives_the_published_interval():
    # Newcombe (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<857, table I: 81 of 263.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0.5, 0) == (0.0, 1.0)
