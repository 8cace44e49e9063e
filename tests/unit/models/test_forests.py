"""Forests: what the conformance suite of all families does not ask."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivetrain.core.contract import Task
from drivetrain.models.families import extra_trees, random_forest
from drivetrain.models.family import Budget
from drivetrain.models.forest import Forests
from drivetrain.stats.metrics import find_metric


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    "family", [extra_trees.family, random_forest.family], ids=lambda one: one.name
)
def test_no_class_is_impossible(family: Forests, classes: int) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(2_000, 5)).astype(np.float32)
    score = X[:, 0] + random.normal(size=len(X))
    y = np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score).astype(float)
    task: Task = "binary" if classes == 2 else "multiclass"
    fitted = family.fit(
        X[:1_000], y[:1_000], task=task, classes=classes, metric="log_loss", weight=None,
        validation=None, parameters={"trees": 30, "min_samples_leaf": 1},
        budget=Budget(remaining_s=lambda: math.inf), seed=0,
    )  # fmt: skip
    found = fitted.predict(X[1_000:])
    probabilities = np.hstack([1.0 - found, found]) if classes == 2 else found
    assert probabilities.min() > 1e-4
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    loss = find_metric("log_loss").function(y[1_000:], probabilities, None)
    assert loss < math.log(classes)  # unmixed leaves lose more than the mix of all rows
