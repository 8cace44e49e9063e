"""A scikit-learn-style class as a family."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.core.errors import DataError
from drivetrain.graph.block import Block
from drivetrain.models.family import Budget, Fitted, Link, Shape, Space, Validation
from drivetrain.models.foreign import sklearn_blocks

_CLASSIFIES: tuple[Task, ...] = ("binary", "multiclass")


class ScikitLearnFamily:
    """Fits what a class or function makes: an estimator with ``fit`` and ``predict``.

    One with ``predict_proba`` is for classifications, any other for regressions. The class may
    have

    - ``defaults``, a tuple of dicts: parameters to try, the best first;
    - ``encoding``, ``"linear"`` (centred, scaled, filled, one-hot; the default) or ``"trees"``
      (raw scale, NaN kept);
    - ``blocks()``, once fitted: its own graph, from ``X`` to ``margin``, the value or the
      probabilities (column 1 for binary). Otherwise skl2onnx makes it, and forests of
      scikit-learn become tree blocks.
    """

    def __init__(self, make: Callable[..., Any], name: str) -> None:
        self._make, self._name = make, name
        self._can_classify = _can_classify(self._made({}))
        self.tasks: tuple[Task, ...] = _CLASSIFIES if self._can_classify else ("regression",)

    def space(self, task: Task, shape: Shape) -> Space:
        """Return the class's own defaults; nothing is tuned."""
        defaults: tuple[dict[str, Any], ...] = getattr(self._make, "defaults", ({},))
        return Space(defaults=tuple(defaults), encoding=getattr(self._make, "encoding", "linear"))

    def fit(
        self,
        X: Features,
        y: FloatVector,
        *,
        task: Task,
        classes: int,
        metric: str,
        weight: FloatVector | None,
        validation: Validation | None,
        parameters: dict[str, Any],
        budget: Budget,
        seed: int,
    ) -> Fitted:
        """Fit the estimator; it has no clock, and is killed when its time is over."""
        estimator = self._made(parameters)
        _set(estimator, random_state=seed)
        if budget.threads > 1:  # some warn of any value
            _set(estimator, n_jobs=budget.threads)
        more = {}
        if weight is not None:
            if "sample_weight" not in inspect.signature(estimator.fit).parameters:
                raise self._refused("a method fit with sample_weight, to weigh rows", "none")
            more["sample_weight"] = weight
        own = np.array(X)  # some estimators write to what they are given
        estimator.fit(own, y.astype(np.int64) if task != "regression" else y, **more)
        if _is_forest(estimator):
            from drivetrain.models.forest import FittedForest

            count = 0 if task == "regression" else max(classes, 2)
            _set(estimator, n_jobs=None)
            details = {"trees": len(estimator.estimators_)}
            return FittedForest(estimator, count, 0.0, details=details)
        return FittedEstimator(estimator, task, classes, X.shape[1])

    def _made(self, parameters: dict[str, Any]) -> Any:
        try:
            made = self._make(**parameters)
        except TypeError as error:
            raise self._refused("to be made with no argument but its defaults", error) from error
        # Of the class: some have the method of what they are made of, once they are fitted.
        if not hasattr(type(made), "fit") or not hasattr(type(made), "predict"):
            raise self._refused("an estimator with fit and predict", type(made).__name__)
        return made

    def _refused(self, expected: str, got: object) -> DataError:
        return DataError(
            where=f"family '{self._name}'",
            expected=expected,
            got=str(got),
            remedy="Write it as scikit-learn's estimators are written.",
            code="DT4M0",
        )


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted estimator; its margin is the value or the probability."""

    estimator: Any
    task: Task
    classes: int
    features: int
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def link(self) -> Link:
        """The margin needs no link."""
        return "identity"

    def predict(self, X: Features) -> FloatMatrix:
        """Return the estimator's own values (n, 1), or probabilities: column 1 for binary."""
        own = np.array(X)
        if self.task == "regression":
            return np.asarray(self.estimator.predict(own), np.float64).reshape(-1, 1)
        found = np.asarray(self.estimator.predict_proba(own), np.float64)
        known = len(self.estimator.classes_)
        sums = found.reshape(len(own), -1).sum(axis=1)
        if found.shape != (len(own), known) or not np.allclose(sums, 1.0, atol=1e-3):
            raise DataError(
                where=f"predict_proba of {type(self.estimator).__name__}",
                expected=f"probabilities of {known} classes that sum to 1 in each row",
                got=f"shape {found.shape}, sums from {sums.min():.4g} to {sums.max():.4g}",
                remedy="Write it as scikit-learn's estimators are written.",
                code="DT4M0",
            )
        full = np.zeros((len(own), max(self.classes, 2)))
        full[:, np.asarray(self.estimator.classes_).astype(np.int64)] = found
        return full[:, 1:2] if self.task == "binary" else full

    def blocks(self) -> tuple[Block, ...]:
        """Return the estimator's own blocks, or those of skl2onnx."""
        if hasattr(self.estimator, "blocks"):
            return tuple(self.estimator.blocks())
        return sklearn_blocks(
            _as_known(self.estimator), features=self.features, task=self.task, classes=self.classes
        )


def _can_classify(estimator: Any) -> bool:
    """Whether it has probabilities, or will have them once it is fitted."""
    if hasattr(estimator, "predict_proba"):
        return True
    from sklearn.base import BaseEstimator, is_classifier

    is_known = isinstance(estimator, BaseEstimator) and is_classifier(estimator)
    return is_known and hasattr(type(estimator), "predict_proba")


def _set(estimator: Any, **values: Any) -> None:
    """Set the parameters that the estimator has."""
    if hasattr(estimator, "get_params") and hasattr(estimator, "set_params"):
        known = estimator.get_params(deep=False)
        estimator.set_params(**{name: value for name, value in values.items() if name in known})


def _as_known(estimator: Any) -> Any:
    """Return a copy that is of scikit-learn's own class, which skl2onnx goes by.

    A subclass that predicts otherwise is caught where graph and model are compared.
    """
    own = next((c for c in type(estimator).__mro__ if c.__module__.startswith("sklearn.")), None)
    if own is None or own is type(estimator) or not hasattr(own, "fit"):
        return estimator
    known = copy.copy(estimator)
    known.__class__ = own
    return known


def _is_forest(estimator: Any) -> bool:
    """Whether it is a mean of scikit-learn's trees, which have blocks of their own."""
    trees = getattr(estimator, "estimators_", None)
    kinds = ("RandomForest", "ExtraTrees")
    names = {base.__name__ for base in type(estimator).__mro__}
    named = any(f"{kind}{role}" in names for kind in kinds for role in ("Classifier", "Regressor"))
    return named and isinstance(trees, list) and not hasattr(estimator, "blocks")
