"""Intervals cover what they claim, and pairs see what two intervals cannot."""

from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.stats.intervals import bootstrap_interval, paired_bootstrap, resample_weights
from drivetrain.stats.metrics import METRICS, score


def test_a_stratified_resample_keeps_the_size_of_each_class():
    y = np.array([0.0] * 90 + [1.0] * 7 + [2.0] * 3)[np.random.default_rng(0).permutation(100)]
    for weights in resample_weights(y, stratify=True, resamples=20, seed=1):
        assert [weights[y == k].sum() for k in range(3)] == [90, 7, 3]


def test_a_plain_resample_keeps_the_number_of_rows_and_varies():
    draws = list(resample_weights(np.zeros(50), stratify=False, resamples=5, seed=1))
    assert all(draw.sum() == 50 for draw in draws)
    assert not np.array_equal(draws[0], draws[1])


def test_a_stratified_resample_draws_every_row_of_a_class_equally_often():
    y = np.array([0.0] * 5 + [1.0] * 20)
    mean = np.mean(list(resample_weights(y, stratify=True, resamples=4000, seed=2)), axis=0)
    assert np.abs(mean - 1).max() < 0.08


def test_the_interval_of_a_mean_equals_the_normal_one():
    rng = np.random.default_rng(0)
    y = rng.normal(size=4000)
    interval = bootstrap_interval("mae", y, np.zeros(4000))
    losses = np.abs(y)
    half = 1.96 * losses.std() / np.sqrt(4000)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.1)
    assert interval.score == pytest.approx(losses.mean())


def test_95_percent_intervals_of_auc_cover_the_truth_about_that_often():
    # Two normals 1 apart: AUC = Phi(1 / sqrt 2) = 0.7602.
    covered = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        y = (rng.random(300) < 0.4).astype(float)
        p = rng.normal(size=300) + y
        interval = bootstrap_interval("auc", y, np.column_stack([-p, p]), resamples=200, seed=seed)
        covered += interval.low <= 0.76025 <= interval.high
    assert covered >= 105  # 114 expected; fewer than 105 has a probability under 0.003


def test_the_prepared_form_gives_the_score_of_the_resampled_rows():
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 200).astype(float)
    p = np.round(rng.random(200), 1)
    p = np.column_stack([1 - p, p])
    draw = next(resample_weights(y, stratify=True, resamples=1, seed=0))
    rows = np.repeat(np.arange(200), draw.astype(int))
    for name in ("auc", "average_precision", "log_loss"):
        fast = METRICS[name].scorer(y, p)(draw)
        assert fast == pytest.approx(score(name, y[rows], p[rows]), abs=1e-12)


def test_the_same_seed_gives_the_same_interval():
    y, p = np.arange(30.0), np.arange(30.0) ** 1.1
    assert bootstrap_interval("rmse", y, p, seed=3) == bootstrap_interval("rmse", y, p, seed=3)
    assert bootstrap_interval("rmse", y, p, seed=3) != bootstrap_interval("rmse", y, p, seed=4)


def test_pairs_see_a_small_gain_that_two_intervals_hide():
    rng = np.random.default_rng(1)
    y = rng.normal(size=1000)
    noise = rng.normal(size=1000)
    first, second = y + noise, y + 1.03 * noise
    one, other = bootstrap_interval("rmse", y, first), bootstrap_interval("rmse", y, second)
    assert one.high > other.low  # the intervals overlap
    pair = paired_bootstrap("rmse", y, first, second)
    assert 0 < pair.low < pair.gain < pair.high
    assert pair.share_better == 1.0


def test_a_predictor_gains_nothing_over_itself():
    y, p = np.arange(20.0), np.arange(20.0) + 1
    pair = paired_bootstrap("rmse", y, p, p)
    assert (pair.gain, pair.low, pair.high, pair.share_better) == (0, 0, 0, 0)


def test_gain_is_positive_for_the_better_one_whichever_way_the_metric_points():
    y = np.array([0.0, 1.0] * 50)
    good, bad = np.column_stack([1 - y, y]), np.full((100, 2), 0.5)
    for name in ("auc", "log_loss"):
        assert paired_bootstrap(name, y, good, bad, resamples=20).gain > 0
        assert paired_bootstrap(name, y, bad, good, resamples=20).gain < 0


def test_an_undefined_metric_has_an_undefined_interval():
    interval = bootstrap_interval("auc", np.ones(5), np.full((5, 2), 0.5), resamples=5)
    assert np.isnan([interval.score, interval.low, interval.high]).all()


@pytest.mark.parametrize("setting", [{"level": 95.0}, {"resamples": 1}])
def test_a_senseless_setting_is_refused(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        bootstrap_interval("rmse", np.zeros(3), np.zeros(3), **setting)
