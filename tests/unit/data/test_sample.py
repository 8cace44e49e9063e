"""A sample of rows that come in pieces: laws that hold however they are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.data.sample import RowSample


def sampled(rows: int, most: int, cuts: list[int], seed: int = 0) -> tuple[RowSample, np.ndarray]:
    values = np.arange(rows, dtype=np.float64)
    sample = RowSample(most, seed=seed)
    for piece in np.split(values, sorted(cut % (rows + 1) for cut in cuts)):
        sample.add({"value": piece, "both": np.column_stack([piece, -piece])})
    columns = sample.columns()
    np.testing.assert_array_equal(columns["both"][:, 1], -columns["value"])
    return sample, columns["value"]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 400),
    most=st.integers(1, 100),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_the_cut_changes_nothing_and_the_order_is_kept(rows, most, cuts) -> None:
    sample, kept = sampled(rows, most, cuts)
    assert sample.seen == rows
    assert len(kept) == min(rows, most)
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(kept, sampled(rows, most, [])[1])


def test_every_row_is_as_likely() -> None:
    taken = np.zeros(50)
    for seed in range(2_000):
        taken[sampled(50, 10, [7, 30], seed)[1].astype(int)] += 1
    assert np.abs(taken - 400).max() < 5 * np.sqrt(2_000 * 0.2 * 0.8)


def test_no_more_than_twice_the_sample_is_held_between_pieces() -> None:
    sample = RowSample(100, seed=0)
    for _ in range(50):
        sample.add({"value": np.zeros(90)})
        assert sum(len(piece["value"]) for piece in sample._pieces) <= 200
