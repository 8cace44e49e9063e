"""Linear models: logistic regression, and ridge regression for values.

Features are standardised in double inside the fit, and the standardisation is folded into the
weights, so that one penalty fits all weights and the graph holds a single matrix.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.linear import Linear
from drivetrain.models.constant import ABSENT_MARGIN
from drivetrain.models.family import Budget, Link, Range, Shape, Space, Validation

PATH = tuple(10.0**power for power in range(-3, 4))  # C: each solution starts the next
LINKS: dict[Task, Link] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the family."""

    C: Annotated[
        float, msgspec.Meta(ge=0, description="inverse penalty; 0: chosen on validation")
    ] = 0.0
    max_iter: Annotated[int, msgspec.Meta(ge=1)] = 200


@dataclass(frozen=True)
class Standard:
    """Mean and standard deviation of each feature in double; a constant one has deviation 1."""

    mean: FloatVector
    deviation: FloatVector

    @classmethod
    def of(cls, X: Features) -> Standard:
        """Measure the features of the fit rows."""
        wide = X.astype(np.float64)
        deviation = wide.std(axis=0)
        deviation[deviation < 1e-12 * np.maximum(1.0, np.abs(wide).max(axis=0, initial=0.0))] = 1.0
        return cls(wide.mean(axis=0), deviation)

    def apply(self, X: Features) -> FloatMatrix:
        """Return the standardised features, float64 (n, k)."""
        return (X.astype(np.float64) - self.mean) / self.deviation


@dataclass(frozen=True)
class FittedLinear:
    """Weights on standardised features, (k, t), and what they were standardised by."""

    standard: Standard
    weights: FloatMatrix
    bias: FloatVector
    link: Link
    details: dict[str, Any]

    def predict(self, X: Features) -> FloatMatrix:
        """Return margins from standardised features, as scikit-learn computes them."""
        return self.standard.apply(X) @ self.weights + self.bias

    def blocks(self) -> tuple[Block, ...]:
        """Return one ``Linear`` block on the features as they are."""
        weights = self.weights / self.standard.deviation[:, None]
        return (Linear(weights, self.bias - self.standard.mean @ weights),)


class LinearFamily:
    """Logistic or ridge regression on centred, scaled and filled features."""

    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    libraries = ("sklearn.linear_model",)

    def space(self, task: Task, shape: Shape) -> Space:
        return Space(
            defaults=(msgspec.to_builtins(Parameters()),),
            ranges={"C": Range(1e-3, 1e3, log=True)},
            encoding="linear",
        )

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
    ) -> FittedLinear:
        options = settings.build(Parameters, parameters, source="family 'linear'")
        standard = Standard.of(X)
        Z = standard.apply(X)
        solver: _Solver = (
            _Ridge(Z, y, weight) if task == "regression" else _Logistic(Z, y, weight, classes)
        )
        judged = validation if validation is not None and len(validation.y) else None
        if options.C or judged is None:
            weights, bias = solver.solve(options.C or 1.0, options.max_iter)
            return FittedLinear(standard, weights, bias, LINKS[task], {"C": options.C or 1.0})
        chosen = _along_path(solver, standard, judged, task, options.max_iter, budget)
        return FittedLinear(standard, chosen.weights, chosen.bias, LINKS[task], {"C": chosen.C})


@dataclass(frozen=True)
class _Solution:
    C: float
    loss: float
    weights: FloatMatrix
    bias: FloatVector


def _along_path(
    solver: _Solver,
    standard: Standard,
    validation: Validation,
    task: Task,
    max_iter: int,
    budget: Budget,
) -> _Solution:
    """Weaken the penalty until the validation loss rises or the time is short."""
    Z = standard.apply(validation.X)

    def solution(C: float) -> _Solution:
        weights, bias = solver.solve(C, max_iter)
        loss = _loss(Z @ weights + bias, validation.y, validation.weight, task)
        return _Solution(C, loss, weights, bias)

    began = time.monotonic()
    best = solution(PATH[0])
    for step, C in enumerate(PATH[1:], start=1):
        took_s = time.monotonic() - began
        # a weaker penalty converges more slowly
        if budget.stops("penalties", step, partial(_is_short, budget, 4 * took_s)):
            break
        began = time.monotonic()
        tried = solution(C)
        if tried.loss > best.loss:
            break
        best = tried
    return best


def _is_short(budget: Budget, needed_s: float) -> bool:
    return budget.remaining_s() <= needed_s


class _Solver:
    def solve(self, C: float, max_iter: int) -> tuple[FloatMatrix, FloatVector]:
        """Return weights (k, t) and bias (t,) on standardised features."""
        raise NotImplementedError


class _Ridge(_Solver):
    """Ridge regression on a target centred and scaled in double."""

    def __init__(self, Z: FloatMatrix, y: FloatVector, weight: FloatVector | None) -> None:
        self._Z, self._weight = Z, weight
        self._center = float(np.average(y, weights=weight))
        self._size = float(np.std(y)) or 1.0
        self._y = (y - self._center) / self._size

    def solve(self, C: float, max_iter: int) -> tuple[FloatMatrix, FloatVector]:
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=1.0 / C).fit(self._Z, self._y, sample_weight=self._weight)
        weights = np.asarray(model.coef_, np.float64)[:, None] * self._size
        return weights, np.array([float(model.intercept_) * self._size + self._center])


class _Logistic(_Solver):
    """Logistic regression that starts from the solution before it."""

    def __init__(
        self, Z: FloatMatrix, y: FloatVector, weight: FloatVector | None, classes: int
    ) -> None:
        self._Z, self._y, self._weight, self._classes = Z, y.astype(np.int64), weight, classes
        self._present = np.unique(self._y)
        self._model: Any = None

    def solve(self, C: float, max_iter: int) -> tuple[FloatMatrix, FloatVector]:
        if len(self._present) == 1:
            return self._one_class()
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        if self._model is None:
            self._model = LogisticRegression(solver="lbfgs", warm_start=True)
        self._model.set_params(C=C, max_iter=max_iter)
        with warnings.catch_warnings():
            # An unconverged solution is judged on validation like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._Z, self._y, sample_weight=self._weight)
        coefficients = np.array(self._model.coef_, np.float64)
        intercepts = np.array(self._model.intercept_, np.float64)
        if self._classes <= 2:
            return coefficients.T, intercepts
        return self._spread(coefficients, intercepts)

    def _spread(
        self, coefficients: FloatMatrix, intercepts: FloatVector
    ) -> tuple[FloatMatrix, FloatVector]:
        """Put the present classes in their columns; an absent class is always unlikely."""
        if len(self._present) == 2:  # scikit-learn then has one row, for the second class
            coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
            intercepts = np.append(0.0, intercepts)
        weights = np.zeros((self._Z.shape[1], self._classes))
        bias = np.full(self._classes, ABSENT_MARGIN)
        weights[:, self._present] = coefficients.T
        bias[self._present] = intercepts
        return weights, bias

    def _one_class(self) -> tuple[FloatMatrix, FloatVector]:
        """Answer the one class that the rows have, as surely as their number allows."""
        margin = float(np.log(2.0 * len(self._y) + 1.0))
        if self._classes <= 2:
            return np.zeros((self._Z.shape[1], 1)), np.array(
                [margin if self._present[0] == 1 else -margin]
            )
        bias = np.zeros(self._classes)
        bias[self._present] = margin
        return np.zeros((self._Z.shape[1], self._classes)), bias


def _loss(margin: FloatMatrix, y: FloatVector, weight: FloatVector | None, task: Task) -> float:
    """Return the mean log-loss or squared error."""
    if task == "regression":
        losses = (margin[:, 0] - y) ** 2
    elif task == "binary":
        losses = np.logaddexp(0.0, np.where(y == 1.0, -margin[:, 0], margin[:, 0]))
    else:
        highest = margin.max(axis=1)
        total = highest + np.log(np.exp(margin - highest[:, None]).sum(axis=1))
        losses = total - margin[np.arange(len(y)), y.astype(np.int64)]
    return float(np.average(losses, weights=weight))


family = LinearFamily()
