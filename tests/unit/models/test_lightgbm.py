"""LightGBM in the graph is LightGBM, and it stops when it is told to."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivetrain.core.errors import InternalError, SettingError
from drivetrain.graph.run import run_blocks
from drivetrain.models.families.lightgbm import FittedLightGBM, LightGBM
from drivetrain.models.family import Budget, Validation
from drivetrain.models.lightgbm_trees import floor_float32, lower_thresholds, read_trees
from drivetrain.testing.family_examples import hard_rows

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def _data(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, 5)).astype(np.float32)
    X[:, 2] *= np.float32(1e-35)  # around LightGBM's zero window
    X[random.random((rows, 5)) < 0.1] = np.nan
    return X, (np.nan_to_num(X[:, 0]) + 0.5 * random.normal(size=rows) > 0).astype(np.float64)


def _fit(validation: Validation | None = None, **changed: Any) -> FittedLightGBM:
    X, y = _data()
    arguments: dict[str, Any] = {
        "task": "binary",
        "classes": 2,
        "metric": "log_loss",
        "weight": None,
        "validation": validation,
        "parameters": {},
        "budget": Budget(lambda: 60.0),
        "seed": 0,
    }
    return LightGBM().fit(X, y, **(arguments | changed))


def _margin(blocks: Any, X: np.ndarray) -> np.ndarray:
    return run_blocks(blocks, {}, ["margin"], {"X": X})["margin"]


@given(st.floats(allow_nan=False), FLOAT32)
@example(1e300, float(np.finfo(np.float32).max))
@example(0.1, float(np.float32(0.1)))
def test_the_floor_asks_the_same_question_of_every_float32(threshold: float, x: float) -> None:
    floor = floor_float32(np.array([threshold]))[0]
    assert (x <= threshold) == (x <= floor)


@given(st.floats(min_value=-1e299, max_value=1e299), FLOAT32)
@example(0.0, 1e-36)
@example(-1e-40, -1e-36)
@example(5e-36, 1e-35)
def test_lowered_thresholds_route_as_lightgbm_does(threshold: float, x: float) -> None:
    cleaned = 0.0 if abs(np.float32(x)) <= np.float32(1e-35) else x
    lowered = lower_thresholds(np.array([threshold]))[0]
    assert (cleaned <= threshold) == (x <= lowered)


def test_an_infinite_threshold_stays_infinite_however_it_is_written() -> None:
    assert np.isposinf(lower_thresholds(np.array([np.inf, 1e300]))).all()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_margins_are_bit_for_bit_the_library_s(task: str) -> None:
    X, y = _data()
    random = np.random.default_rng(3)
    y = {"binary": y, "multiclass": y + (random.random(len(y)) < 0.3), "regression": y * 9.7}[task]
    fitted = LightGBM().fit(
        X,
        y,
        task=task,  # type: ignore[arg-type]
        classes=3 if task == "multiclass" else 2,
        metric="",
        weight=None,
        validation=None,
        parameters={"rounds": 60},
        budget=Budget(lambda: 60.0),
        seed=0,
    )
    rows = hard_rows(fitted, "trees")
    np.testing.assert_array_equal(_margin(fitted.blocks(), rows), fitted.predict(rows))


def test_a_column_without_nan_in_training_sends_nan_where_zero_goes() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 2)).astype(np.float32)
    fitted = LightGBM().fit(
        X,
        (X[:, 0] > 0.7).astype(np.float64),
        task="binary",
        classes=2,
        metric="",
        weight=None,
        validation=None,
        parameters={"rounds": 20},
        budget=Budget(lambda: 60.0),
        seed=0,
    )
    rows = np.array([[np.nan, 0.0], [0.0, 0.0]], np.float32)
    got = _margin(fitted.blocks(), rows)
    np.testing.assert_array_equal(got, fitted.predict(rows))
    assert got[0] == got[1]


def test_trees_of_one_leaf_are_kept() -> None:
    fitted = _fit(parameters={"rounds": 3, "min_data_in_leaf": 10_000})
    X, _ = _data()
    np.testing.assert_array_equal(_margin(fitted.blocks(), X), fitted.predict(X))


def test_validation_stops_the_training_at_its_best_iteration() -> None:
    X, _ = _data(200, seed=1)
    noise = np.random.default_rng(5).integers(0, 2, 200).astype(np.float64)
    fitted = _fit(Validation(X, noise), parameters={"patience": 7})
    assert fitted.details["stopped_by"] == "patience"
    assert fitted.booster.current_iteration() == fitted.iterations + 7
    (trees,) = fitted.blocks()
    assert trees.tree_count == fitted.iterations  # type: ignore[attr-defined]


def test_a_spent_budget_stops_the_training_and_keeps_the_best() -> None:
    answers = iter([9.0] * 4 + [0.0] * 4)
    X, y = _data(100, seed=1)
    fitted = _fit(Validation(X, y), budget=Budget(lambda: next(answers)))
    assert fitted.details["stopped_by"] == "time"
    assert fitted.booster.current_iteration() == 5
    assert 1 <= fitted.iterations <= 5


def test_mean_absolute_error_is_fitted_where_it_is_the_metric() -> None:
    X, _ = _data()
    y = np.where(np.arange(400) % 4 == 0, 1000.0, 1.0)  # mean 250.75, median 1
    shared: dict[str, Any] = {
        "task": "regression", "classes": 0, "weight": None, "validation": None, "seed": 0,
        "parameters": {"rounds": 5, "min_data_in_leaf": 400}, "budget": Budget(lambda: 60.0),
    }  # fmt: skip
    absolute = LightGBM().fit(X, y, metric="mae", **shared).predict(X)
    squared = LightGBM().fit(X, y, metric="rmse", **shared).predict(X)
    np.testing.assert_allclose(absolute, 1.0, atol=1e-3)
    np.testing.assert_allclose(squared, 250.75, rtol=1e-6)


def test_a_wrong_parameter_is_named() -> None:
    with pytest.raises(SettingError, match="setting 'learning_rate'"):
        _fit(parameters={"learning_rate": 3.0})


def test_a_model_with_categorical_splits_is_refused() -> None:
    X = np.random.default_rng(0).integers(0, 5, (300, 1)).astype(np.float64)
    y = np.isin(X[:, 0], (1, 3)).astype(float)
    data = lightgbm.Dataset(X, y, categorical_feature=[0], params={"verbosity": -1})
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, data, 2)
    with pytest.raises(InternalError, match="categorical"):
        read_trees(booster.model_to_string(), base=0.0)
