"""Metrics of the user's own: found by file and name, refused in one line when they cannot serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.search.study import Problem
from drivetrain.stats.intervals import bootstrap_interval
from drivetrain.stats.metrics import METRICS, find_metric, metric_of_bundle, score, usual_metric
from drivetrain.stats.own_metric import load_metric, try_metric

FILE = '''
import numpy as np

from drivetrain.stats.metric import Metric


def missed(y, probabilities, weight):
    """Cost of what was missed."""
    return float(np.average((y == 1) & (probabilities[:, 1] < 0.2), weights=weight))


missed.greater_is_better = False


def hits(y, labels):
    return float(np.mean(y == labels))


hits.greater_is_better = True
hits.needs = "label"


def silent(y, p):
    return 0.0


def fails(y, p):
    raise KeyError("no such thing")


fails.greater_is_better = True


def worst(y, value, weight):
    return float(np.abs(y - value).max())


worst.greater_is_better = False
whole = Metric("whole", worst, "value", False, ("regression",))
odd = 3
'''


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "own.py"
    path.write_text(FILE)
    return str(path)


def test_a_function_in_a_file_is_a_metric(file: str) -> None:
    metric = find_metric(f"{file}:missed", "binary")
    assert (metric.name, metric.needs, metric.greater_is_better) == ("missed", "probability", False)
    assert metric.about == "Cost of what was missed."
    assert find_metric(metric.key).name == "missed"
    p = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert score(metric, np.array([1.0, 1.0]), p) == 0.5
    assert score(metric, np.array([1.0, 1.0]), p, np.array([3.0, 1.0])) == 0.75


def test_a_whole_metric_in_a_file_is_taken_as_it_is(file: str) -> None:
    metric = find_metric(f"{file}:whole", "regression")
    assert metric.name == "whole"
    assert find_metric(metric.key) == metric


def test_a_function_without_weights_is_resampled_by_repeating_rows(file: str) -> None:
    metric = load_metric(f"{file}:hits")
    y = np.arange(60) % 2 * 1.0
    guess = np.where(np.arange(60) % 5 == 0, 1 - y, y)
    ours = bootstrap_interval(metric, y, guess, resamples=50)
    assert ours == bootstrap_interval("accuracy", y, guess, resamples=50)


@pytest.mark.parametrize(
    ("name", "word"),
    [("silent", "greater_is_better"), ("odd", "a function or a Metric"), ("absent", "one of")],
)
def test_what_cannot_serve_is_refused(file: str, name: str, word: str) -> None:
    with pytest.raises(SettingError, match=word):
        find_metric(f"{file}:{name}", "binary")


def test_a_metric_is_tried_before_the_work(file: str) -> None:
    with pytest.raises(SettingError, match="KeyError"):
        try_metric(load_metric(f"{file}:fails"), "binary", 2, weighted=False)
    with pytest.raises(SettingError, match="third parameter"):
        try_metric(load_metric(f"{file}:hits"), "binary", 2, weighted=True)
    try_metric(load_metric(f"{file}:missed"), "multiclass", 4, weighted=True)


def test_a_metric_of_another_task_is_refused(file: str) -> None:
    with pytest.raises(SettingError, match="binary task"):
        find_metric(f"{file}:whole", "binary")


@pytest.mark.parametrize(
    ("name", "found"),
    [("pinball_5", "pinball_5"), ("pinball_0.975", "pinball_97.5"), ("pinball:0.9", "pinball_90")],
)
def test_every_quantile_has_its_pinball_loss(name: str, found: str) -> None:
    metric = find_metric(name, "regression")
    assert metric.name == found
    assert score(metric, np.array([1.0]), np.array([0.0])) == pytest.approx(
        float(found.partition("_")[2]) / 100
    )


@pytest.mark.parametrize("name", ["pinball", "pinball_0", "pinball_100", "pinball_x", "moon_5"])
def test_no_quantile_no_loss(name: str) -> None:
    with pytest.raises(SettingError):
        find_metric(name)


def test_all_metrics_that_are_promised_are_there() -> None:
    assert {
        "auc", "log_loss", "accuracy", "balanced_accuracy", "f1", "average_precision", "brier",
        "mcc", "rmse", "mae", "mape", "rmsle", "r2", "pinball_50",
    } <= set(METRICS)  # fmt: skip


def test_trials_of_a_regression_are_scored_by_its_values(file: str) -> None:
    problem = Problem(task="regression", classes=0, metric=f"{file}:worst", folds=2)
    assert problem.measure.needs == "value"


def test_a_bundle_names_a_metric_and_no_code_of_it_is_imported(file: str) -> None:
    with pytest.raises(SettingError, match=r"Give --metric FILE\.py:worst"):
        metric_of_bundle("worst", "regression")
    assert metric_of_bundle("worst", "regression", f"{file}:worst").name == "worst"
    assert metric_of_bundle("pinball_75", "regression").name == "pinball_75"
    assert usual_metric("worst", "regression").name == "rmse"
    assert usual_metric("mae", "regression").name == "mae"
    assert usual_metric("roc_auc", "binary").name == "auc"
