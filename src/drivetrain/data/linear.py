"""Small linear fits for checks: evidence of many columns together, sums that give the target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, IndexVector
from drivetrain.data.signal import explained_share

RIDGE = 1e-3
EXACT_SHARE = 0.999
MOST_TERMS = 8


@dataclass(frozen=True)
class Terms:
    """A sum of columns that gives the target: column numbers, their weights, what it explains."""

    used: tuple[int, ...]
    weights: tuple[float, ...]
    explained: float


class RidgeOutOfFold:
    """Predicts y (n, t) from some of the inputs X (n, k), each fold by a fit on the others.

    The products of all inputs are summed once; a subset then costs a solve.
    """

    def __init__(self, X: FloatMatrix, y: FloatMatrix, fold: IndexVector) -> None:
        spread = X.std(axis=0)
        scaled = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        self._parts = []
        self._rows = len(X)
        for number in np.unique(fold):
            judge = np.flatnonzero(fold == number)
            inputs, deviations = scaled[judge], y[judge] - y.mean(axis=0)
            self._parts.append((judge, inputs, inputs.T @ inputs, inputs.T @ deviations))
        self._gram = np.sum([gram for _, _, gram, _ in self._parts], axis=0)
        self._product = np.sum([product for _, _, _, product in self._parts], axis=0)
        self._center = y.mean(axis=0)

    def predict(self, used: IndexVector) -> FloatMatrix:
        """Return out-of-fold predictions from the inputs ``used``, shape (n, t)."""
        predicted = np.empty((self._rows, len(self._center)))
        block = np.ix_(used, used)
        for judge, inputs, gram, product in self._parts:
            fitted = self._gram[block] - gram[block]
            fitted += RIDGE * (self._rows - len(judge)) * np.eye(len(used))
            weights = np.linalg.solve(fitted, (self._product - product)[used])
            predicted[judge] = self._center + inputs[:, used] @ weights
        return predicted


def sums_to(X: FloatMatrix, y: FloatVector) -> Terms | None:
    """Find a few columns whose weighted sum explains at least 99.9 % of y; None if there are none.

    Rows with a missing or infinite number are left aside. Columns enter one at a time, the one
    that explains most of what is left first, and leave again if the sum does without them.
    """
    whole = np.isfinite(X).all(axis=1)
    if whole.sum() < 10 * X.shape[1]:
        return None
    X, y = X[whole], y[whole]
    if y.std() == 0 or _explained(X, y, range(X.shape[1])) < EXACT_SHARE:
        return None
    used: list[int] = []
    while _explained(X, y, used) < EXACT_SHARE:
        if len(used) == MOST_TERMS:
            return None
        left = [at for at in range(X.shape[1]) if at not in used]
        used.append(max(left, key=lambda at: _explained(X, y, [*used, at])))
    best = _explained(X, y, [*used, *range(X.shape[1])])
    while len(used) < MOST_TERMS and best - _explained(X, y, used) > 1e-6:
        left = [at for at in range(X.shape[1]) if at not in used]
        used.append(max(left, key=lambda at: _explained(X, y, [*used, at])))
    for at in list(used):
        rest = [other for other in used if other != at]
        if rest and _explained(X, y, used) - _explained(X, y, rest) < 1e-6:
            used = rest
    used = sorted(used)
    weights = _weights(X, y, used)[:-1]
    return Terms(tuple(used), tuple(float(w) for w in weights), _explained(X, y, used))


def _weights(X: FloatMatrix, y: FloatVector, used: list[int]) -> FloatVector:
    with_one = np.column_stack([X[:, used], np.ones(len(X))])
    weights: FloatVector = np.linalg.lstsq(with_one, y, rcond=None)[0].astype(np.float64)
    return weights


def _explained(X: FloatMatrix, y: FloatVector, used: Iterable[int]) -> float:
    chosen = list(dict.fromkeys(used))
    if not chosen:
        return 0.0
    predicted = np.column_stack([X[:, chosen], np.ones(len(X))]) @ _weights(X, y, chosen)
    return explained_share(y[:, None], predicted[:, None])
