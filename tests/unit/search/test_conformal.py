"""Conformal prediction: the promise holds on rows drawn alike, and width goes where it pays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivetrain.search.conformal import (
    choose_interval,
    choose_set,
    conformal_quantile,
    rows_needed,
)

TRIALS = 60


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("rows", [60, 800])
def test_of_exchangeable_rows_the_asked_share_lies_in_the_interval(
    coverage: float, rows: int
) -> None:
    rng = np.random.default_rng(int(1000 * coverage) + rows)
    hits = asked = 0
    for trial in range(TRIALS):
        prediction = rng.gamma(2.0, size=4 * rows)
        y = prediction * rng.lognormal(sigma=0.4, size=4 * rows)
        interval, _ = choose_interval(prediction[:rows], y[:rows], None, coverage, seed=trial)
        lower, upper = interval.ends(prediction[rows:])
        hits += int(((lower <= y[rows:]) & (y[rows:] <= upper)).sum())
        asked += 3 * rows
    # The same calibration rows serve 3 * rows answers: their own luck is added. Curves of four
    # fifths of the rows are a little worse than the one of all, which makes it cover a little more.
    doubt = math.sqrt(coverage * (1 - coverage) * (1 / asked + 1 / (TRIALS * rows)))
    assert -4 * doubt < hits / asked - coverage < 4 * doubt + 0.005 + 1 / (rows + 1)


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_of_exchangeable_rows_the_asked_share_has_its_class_in_the_set(coverage: float) -> None:
    rng = np.random.default_rng(int(1000 * coverage))
    rows, hits, asked = 600, 0, 0
    rare = np.zeros(2)
    for trial in range(TRIALS):
        p = rng.dirichlet([2.0, 1.0, 0.5], size=4 * rows)
        y = (rng.random((4 * rows, 1)) > p.cumsum(axis=1)).sum(axis=1).astype(np.float64)
        chosen, _ = choose_set(p[:rows], y[:rows], None, coverage, seed=trial)
        sets = chosen.of(p[rows:])
        assert sets.any(axis=1).all(), "no set is empty"
        is_in = sets[np.arange(len(sets)), y[rows:].astype(int)]
        hits, asked = hits + int(is_in.sum()), asked + len(is_in)
        rare += [is_in[y[rows:] == 2].sum(), (y[rows:] == 2).sum()]
    assert hits / asked > coverage - 4 * math.sqrt(coverage * (1 - coverage) / (TRIALS * rows))
    assert hits / asked < coverage + 0.05
    assert rare[0] / rare[1] > coverage - 0.05, "the rare class is covered, too"


def test_the_width_follows_the_prediction_only_where_the_errors_do() -> None:
    rng = np.random.default_rng(0)
    prediction = rng.uniform(0, 10, size=4000)
    even = choose_interval(prediction, prediction + rng.normal(size=4000), None, 0.9)[0]
    assert len(even.knots) == 1
    uneven, why = choose_interval(
        prediction, prediction + prediction * rng.normal(size=4000), None, 0.9
    )
    assert len(uneven.knots) > 4
    assert uneven.above[-1] > 5 * uneven.above[0]
    assert "shorter" in why.reason


def test_a_weight_counts_as_so_many_rows() -> None:
    scores = np.random.default_rng(1).normal(size=50)
    weight = np.arange(50) % 3 + 1.0
    repeated = np.sort(np.repeat(scores, weight.astype(int)))
    place = math.ceil(0.8 * (weight.sum() + 3)) - 1
    assert conformal_quantile(scores, 0.8, weight) == repeated[place]


@pytest.mark.parametrize("coverage", [0.6, 0.9, 0.95, 0.99])
def test_so_many_rows_are_needed_that_the_quantile_is_finite(coverage: float) -> None:
    needed = rows_needed(coverage)
    assert math.isfinite(conformal_quantile(np.arange(float(needed)), coverage))
    assert math.isinf(conformal_quantile(np.arange(needed - 1.0), coverage))


def test_constant_predictions_and_perfect_ones_have_an_interval() -> None:
    zeros = np.zeros(500)
    for prediction, y in ((zeros, zeros), (zeros, np.arange(500.0)), (np.arange(500.0),) * 2):
        interval, _ = choose_interval(prediction, y, None, 0.9)
        lower, upper = interval.ends(prediction)
        assert np.isfinite(upper - lower).all()
        assert ((lower <= y) & (y <= upper)).mean() >= 0.9
