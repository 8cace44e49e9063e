"""A scikit-learn model becomes blocks that answer what it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from drivetrain.core.errors import DataError
from drivetrain.graph.archive import load_blocks, save_blocks
from drivetrain.graph.run import run_blocks
from drivetrain.models.foreign import sklearn_blocks

X = np.random.default_rng(0).normal(size=(150, 3)).astype(np.float32)


def _margin(blocks: Any, rows: np.ndarray = X) -> np.ndarray:
    return run_blocks(blocks, {}, ["margin"], {"X": rows})["margin"]


def test_a_binary_classifier_s_margin_is_the_second_class_s_probability() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)
    blocks = sklearn_blocks(model, features=3, task="binary", classes=2)
    np.testing.assert_allclose(_margin(blocks), model.predict_proba(X)[:, 1:], atol=1e-6)


def test_a_class_that_the_model_has_not_seen_has_probability_0() -> None:
    model = GaussianNB().fit(X, np.where(X[:, 0] > 0, 3.0, 1.0))
    got = _margin(sklearn_blocks(model, features=3, task="multiclass", classes=4))
    np.testing.assert_allclose(got[:, [1, 3]], model.predict_proba(X), atol=1e-5)
    assert (got[:, [0, 2]] == 0).all()


def test_a_regressor_s_margin_is_its_value(tmp_path: Any) -> None:
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=30, tol=1.0, random_state=0).fit(
        X, X[:, 0]
    )
    blocks = sklearn_blocks(model, features=3, task="regression")
    save_blocks(tmp_path / "blocks.npz", blocks)
    got = _margin(load_blocks(tmp_path / "blocks.npz"))
    np.testing.assert_allclose(got[:, 0], model.predict(X), atol=1e-5)


def test_a_model_that_cannot_be_converted_is_refused_in_one_line() -> None:
    class Unknown(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        classes_ = np.array([0, 1])

    with pytest.raises(DataError, match="scikit-learn model Unknown: expected a model") as caught:
        sklearn_blocks(Unknown(), features=3, task="binary", classes=2)
    assert "\n" not in caught.value.line()
