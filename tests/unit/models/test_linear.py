"""Linear models: scikit-learn's answers, folded into one exact matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from drivetrain.graph.run import run_blocks
from drivetrain.models.families.linear import PATH, FittedLinear, LinearFamily
from drivetrain.models.family import Budget, Validation

X = (np.random.default_rng(0).normal(size=(200, 4)) * [1, 100, 0.01, 0] + [0, 7, 5, 3]).astype(
    np.float32
)
SIGNAL = X[:, 0] + (X[:, 1] - 7) / 100


def _fit(y: np.ndarray, task: str, **changed: Any) -> FittedLinear:
    arguments: dict[str, Any] = {
        "classes": {"binary": 2, "multiclass": 3}.get(task, 0),
        "metric": "",
        "weight": None,
        "validation": None,
        "parameters": {"C": 1.0},
        "budget": Budget(lambda: 60.0),
        "seed": 0,
    }
    return LinearFamily().fit(X, y, task=task, **(arguments | changed))  # type: ignore[arg-type]


def _margin(fitted: FittedLinear) -> np.ndarray:
    return run_blocks(fitted.blocks(), {}, ["margin"], {"X": X})["margin"]


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_margins_are_those_of_logistic_regression_on_standardised_features(task: str) -> None:
    y = np.digitize(SIGNAL, [0.0] if task == "binary" else [-0.7, 0.7]).astype(float)
    Z = StandardScaler().fit_transform(X.astype(np.float64))
    reference = LogisticRegression(C=1.0).fit(Z, y).decision_function(Z).reshape(len(X), -1)
    np.testing.assert_allclose(_margin(_fit(y, task)), reference, atol=2e-3)


def test_a_wide_regression_target_keeps_its_digits() -> None:
    y = SIGNAL.astype(np.float64) + 1e12
    Z = StandardScaler().fit_transform(X.astype(np.float64))
    reference = Ridge(alpha=1.0).fit(Z, SIGNAL).predict(Z)
    got = _margin(_fit(y, "regression"))[:, 0]
    np.testing.assert_allclose(got - 1e12, reference, atol=1e-2)


def test_the_penalty_is_chosen_on_validation() -> None:
    y = (SIGNAL > 0).astype(float)
    clear = _fit(y, "binary", parameters={}, validation=Validation(X, y))
    noise = np.random.default_rng(1).integers(0, 2, 200).astype(float)
    unclear = _fit(y, "binary", parameters={}, validation=Validation(X, noise))
    assert clear.details["C"] == PATH[-1]
    assert unclear.details["C"] == PATH[0]


def test_a_spent_budget_ends_the_path_at_its_first_point() -> None:
    y = (SIGNAL > 0).astype(float)
    judge = Validation(X, y)
    fitted = _fit(y, "binary", parameters={}, validation=judge, budget=Budget(lambda: 0.0))
    assert fitted.details["C"] == PATH[0]


def test_one_class_is_answered_as_surely_as_its_rows_allow() -> None:
    assert _margin(_fit(np.ones(200), "binary"))[0, 0] == pytest.approx(np.log(401))
    assert _margin(_fit(np.zeros(200), "binary"))[0, 0] == pytest.approx(-np.log(401))
    assert _margin(_fit(np.full(200, 2.0), "multiclass"))[0].argmax() == 2
