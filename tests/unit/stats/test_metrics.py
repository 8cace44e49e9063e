"""The metrics agree with scikit-learn, on random data with ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from drivetrain.core.errors import SettingError
from drivetrain.stats.metrics import METRICS, Metric, default_metric, find_metric, score


def binary(seed: int, n: int = 300):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n).astype(float)
    y[:2] = 0, 1
    p1 = np.round(np.clip(0.3 * y + rng.random(n) * 0.7, 0.01, 0.99), 1 + seed % 3)  # ties
    p1 = np.clip(p1, 0.01, 0.99)
    return y, np.column_stack([1 - p1, p1]), rng.integers(0, 4, n) + rng.random(n)


def multiclass(seed: int, n: int = 400, k: int = 4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n).astype(float)
    y[:k] = range(k)
    p = np.round(rng.random((n, k)) + np.eye(k)[y.astype(int)] * 0.5, 1) + 0.05
    return y, p / p.sum(axis=1, keepdims=True), rng.random(n)


BINARY = {
    "auc": lambda y, p, w: reference.roc_auc_score(y, p[:, 1], sample_weight=w),
    "average_precision": lambda y, p, w: reference.average_precision_score(
        y, p[:, 1], sample_weight=w
    ),
    "log_loss": lambda y, p, w: reference.log_loss(y, p, sample_weight=w),
    "brier": lambda y, p, w: reference.brier_score_loss(y, p[:, 1], sample_weight=w),
    "accuracy": lambda y, p, w: reference.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: reference.balanced_accuracy_score(
        y, p.argmax(1), sample_weight=w
    ),
    "f1": lambda y, p, w: reference.f1_score(y, p.argmax(1), sample_weight=w),
    "f1_macro": lambda y, p, w: reference.f1_score(
        y, p.argmax(1), sample_weight=w, average="macro"
    ),
    "mcc": lambda y, p, w: reference.matthews_corrcoef(y, p.argmax(1), sample_weight=w),
}
MULTICLASS = {
    **{name: BINARY[name] for name in ("accuracy", "balanced_accuracy", "f1_macro", "mcc")},
    # scikit-learn takes no weights for multiclass AUC in every mode; macro one-vs-rest does.
    "auc": lambda y, p, w: reference.roc_auc_score(
        y, p, sample_weight=w, multi_class="ovr", average="macro"
    ),
    "average_precision": lambda y, p, w: reference.average_precision_score(
        np.eye(p.shape[1])[y.astype(int)], p, sample_weight=w, average="macro"
    ),
    "log_loss": BINARY["log_loss"],
    "brier": lambda y, p, w: reference.brier_score_loss(
        y, p, sample_weight=w, labels=range(p.shape[1])
    ),
}
REGRESSION = {
    "rmse": lambda y, p, w: reference.root_mean_squared_error(y, p, sample_weight=w),
    "mae": lambda y, p, w: reference.mean_absolute_error(y, p, sample_weight=w),
    "mape": lambda y, p, w: reference.mean_absolute_percentage_error(y, p, sample_weight=w),
    "rmsle": lambda y, p, w: reference.root_mean_squared_log_error(y, p, sample_weight=w),
    "r2": lambda y, p, w: reference.r2_score(y, p, sample_weight=w),
    **{
        f"pinball_{q}": lambda y, p, w, q=q: reference.mean_pinball_loss(
            y, p, sample_weight=w, alpha=q / 100
        )
        for q in (10, 50, 90)
    },
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", BINARY)
def test_binary_metrics_equal_scikit_learn(name, seed, weighted):
    y, p, w = binary(seed)
    w = w if weighted else None
    assert score(name, y, p, w) == pytest.approx(BINARY[name](y, p, w), abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", MULTICLASS)
def test_multiclass_metrics_equal_scikit_learn(name, seed, weighted):
    y, p, w = multiclass(seed)
    w = w if weighted else None
    assert score(name, y, p, w) == pytest.approx(MULTICLASS[name](y, p, w), abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", REGRESSION)
def test_regression_metrics_equal_scikit_learn(name, weighted):
    rng = np.random.default_rng(3)
    y, p = rng.gamma(2.0, size=500), rng.gamma(2.0, size=500)
    w = rng.random(500) if weighted else None
    assert score(name, y, p, w) == pytest.approx(REGRESSION[name](y, p, w), rel=1e-12)


def test_every_metric_has_a_reference_here():
    for name, metric in METRICS.items():
        for task, references in (
            ("binary", BINARY), ("multiclass", MULTICLASS), ("regression", REGRESSION)
        ):  # fmt: skip
            assert (task in metric.tasks) == (name in references), (name, task)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(BINARY)), st.integers(0, 10_000))
def test_a_whole_number_weight_is_the_row_repeated(name, seed):
    y, p, _ = binary(seed, 40)
    times = np.random.default_rng(seed).integers(0, 3, 40)
    times[:2] = 1
    repeated = score(name, np.repeat(y, times), np.repeat(p, times, axis=0))
    assert score(name, y, p, times.astype(float)) == pytest.approx(repeated, abs=1e-12)


def test_the_order_of_rows_does_not_matter():
    y, p, w = multiclass(1)
    order = np.random.default_rng(0).permutation(len(y))
    for name in MULTICLASS:
        assert score(name, y, p, w) == pytest.approx(score(name, y[order], p[order], w[order]))


def test_auc_of_one_class_is_undefined():
    assert np.isnan(score("auc", np.ones(3), np.full((3, 2), 0.5)))


def test_log_loss_of_a_certain_error_is_finite():
    assert score("log_loss", np.array([1.0]), np.array([[1.0, 0.0]])) == pytest.approx(15.942385)


def test_rmsle_refuses_a_negative_target_and_takes_a_negative_prediction_as_zero():
    with pytest.raises(SettingError, match="without negative values"):
        score("rmsle", np.array([-1.0, 2.0]), np.array([1.0, 2.0]))
    assert score("rmsle", np.array([0.0]), np.array([-0.5])) == 0.0


def test_aliases_and_spellings_find_the_same_metric():
    for name in ("auc", "roc_auc", "ROC AUC", "roc-auc"):
        assert find_metric(name, "binary") is METRICS["auc"]


def test_an_unknown_metric_names_those_of_the_task():
    with pytest.raises(SettingError, match=r"rmse, mae.*got 'wow'"):
        find_metric("wow", "regression")


def test_a_metric_of_another_task_is_refused():
    with pytest.raises(SettingError, match="got 'rmse'"):
        find_metric("rmse", "binary")


def test_the_default_metric_is_of_its_task():
    for task in ("binary", "multiclass", "regression"):
        assert task in METRICS[default_metric(task)].tasks


def test_a_users_own_metric_is_scored():
    cost = Metric("cost", lambda y, p, w: float(np.sum(y != p)), "label", False, ("binary",))
    y, p, _ = binary(0)
    assert score(cost, y, p) == (y != p.argmax(1)).sum()


def test_every_metric_says_what_it_is_and_which_way_is_better():
    for metric in METRICS.values():
        assert len(metric.about) > 20
