"""Numbers, booleans, datetimes and vectors have one declared meaning for every cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.core.contract import Kind
from drivetrain.features.encode import ENCODERS, run_encoder
from drivetrain.features.encoder import FittedEncoder
from drivetrain.testing.columns import describe, example_target

LARGEST = np.finfo(np.float32).max


def _fit(encoder: str, kind: Kind, cells: np.ndarray, **parameters: Any) -> FittedEncoder:
    columns = {"x": cells}
    target = example_target("binary", len(cells))
    loaded = ENCODERS.load(encoder)
    return loaded.fit(columns, describe(columns, kind), target, None, seed=0, **parameters)


def _run(fitted: FittedEncoder, cells: np.ndarray) -> list[list[float]]:
    return run_encoder(fitted, {"x": cells}).tolist()


def test_a_raw_number_is_itself_nan_where_missing_and_bounded_where_infinite() -> None:
    fitted = _fit("number", "number", np.array([1.0, 2.0, np.nan]))
    (one,), (missing,), (high,), (low,) = _run(fitted, np.array([1.5, np.nan, np.inf, -np.inf]))
    assert one == 1.5
    assert np.isnan(missing)
    assert (high, low) == (LARGEST, -LARGEST)


def test_a_wide_number_is_centred_so_that_float32_keeps_its_digits() -> None:
    seconds = 1.7e9 + np.arange(1000.0)
    fitted = _fit("number", "number", seconds)
    assert len(np.unique(run_encoder(fitted, {"x": seconds}))) == 1000
    plain = _fit("number", "number", np.arange(1000.0))
    assert _run(plain, np.array([3.0])) == [[3.0]]


def test_a_scaled_number_fills_missing_with_its_median_and_flags_it() -> None:
    fitted = _fit("number", "number", np.array([0.0, 1.0, 2.0, 3.0, 4.0, np.nan]), scale=True)
    assert fitted.names == ("x", "x is missing")
    assert _run(fitted, np.array([2.0, np.nan, np.inf, -np.inf, 4.0])) == [
        [0.0, 0.0], [0.0, 1.0], [10.0, 0.0], [-10.0, 0.0], [1.0, 0.0],
    ]  # fmt: skip


def test_without_missing_cells_in_training_there_is_no_flag() -> None:
    assert _fit("number", "number", np.arange(5.0), scale=True).names == ("x",)


@pytest.mark.parametrize("cells", [[5.0] * 4, [0.0] * 9 + [7.0], [np.nan] * 4, [1e308, -1e308]])
def test_a_column_without_spread_is_scaled_to_finite_numbers(cells: list[float]) -> None:
    fitted = _fit("number", "number", np.array(cells), scale=True)
    features = run_encoder(fitted, {"x": np.array([*cells, np.inf, np.nan, 1e-310])})
    assert np.isfinite(features).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=12))
def test_scaled_numbers_stay_within_ten_spreads(cells: list[float]) -> None:
    fitted = _fit("number", "number", np.array(cells), scale=True)
    features = run_encoder(fitted, {"x": np.array(cells)})
    assert (np.abs(features) <= 10).all()


def test_a_curve_is_the_number_and_how_far_it_is_along_each_piece() -> None:
    fitted = _fit("splines", "number", np.arange(101.0), knots=4)
    assert fitted.names == ("x", "x above 0", "x above 2", "x above 98")
    assert _run(fitted, np.array([1.0, 50.0, 99.0]))[1][1:] == [1.0, 0.5, 0.0]
    for beyond, pieces in ((np.inf, 1.0), (-np.inf, 0.0), (1e308, 1.0), (-5.0, 0.0)):
        assert _run(fitted, np.array([beyond]))[0][1:] == [pieces] * 3


def test_a_curve_fills_missing_with_the_median_and_flags_it() -> None:
    fitted = _fit("splines", "number", np.array([*np.arange(101.0), np.nan]), knots=4)
    missing, median = _run(fitted, np.array([np.nan, 50.0]))
    assert missing == [*median[:-1], 1.0]


def test_a_line_through_the_pieces_is_the_number_within_training() -> None:
    cells = np.random.default_rng(0).lognormal(size=500)
    fitted = _fit("splines", "number", cells)
    pieces = run_encoder(fitted, {"x": cells})[:, 1:]
    knots = [float(name.split()[-1]) for name in fitted.names[1:]]
    lengths = np.diff([*knots, cells.max()])
    assert pieces @ lengths + cells.min() == pytest.approx(cells, rel=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=40))
def test_curves_are_finite_and_their_pieces_between_0_and_1(cells: list[float]) -> None:
    fitted = _fit("splines", "number", np.array(cells))
    features = run_encoder(fitted, {"x": np.array([*cells, np.nan, np.inf, 0.0])})
    assert (np.abs(features) <= 10).all()
    assert ((features[:, 1:] >= 0) & (features[:, 1:] <= 1)).all()


def test_a_boolean_is_nan_or_filled_with_the_share_of_true() -> None:
    cells = np.array([1.0, 1.0, 0.0, 1.0, np.nan])
    assert np.isnan(_run(_fit("boolean", "boolean", cells), np.array([np.nan]))[0][0])
    filled = _fit("boolean", "boolean", cells, fill=True)
    assert _run(filled, np.array([0.0, np.nan])) == [[0.0, 0.0], [0.75, 1.0]]


def test_a_datetime_has_nan_parts_or_the_centre_of_its_circles_where_missing() -> None:
    cells = np.array([0, 86_400_000_000 * 40, MISSING_TIME])
    plain = np.array(_run(_fit("datetime", "datetime", cells), cells))
    assert np.isnan(plain[2]).all() and np.isfinite(plain[:2]).all()
    cyclic = _fit("datetime", "datetime", cells, cyclic=True)
    features = np.array(_run(cyclic, cells))
    assert features[2].tolist() == [0.0] * (len(cyclic.names) - 1) + [1.0]
    assert np.abs(features).max() <= 10


def test_a_vector_is_scaled_as_one() -> None:
    cells = np.array([[0.0, 1.0], [2.0, 3.0], [np.nan, 4.0]])
    features = np.array(_run(_fit("vector", "vector", cells, scale=True), cells))
    assert features[2, 0] == 0.0
    assert features[1, 0] == 0.0  # the median of all items
