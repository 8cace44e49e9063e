"""How a model's probabilities read as true chances: three numbers, fitted on held-out rows.

The map is Kull's beta calibration, logit(chance) = a ln p - b ln(1 - p) + c. With a = b = 1 and
c = 0 probabilities are taken at their word, and a weak prior pulls there, so that few rows change
little. How unsure the three numbers are is kept beside them: an estimate made from the map says
how unsure it is itself.

Source: Kull, Silva Filho and Flach, doi:10.1214/17-EJS1338SI.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.stats.score_sketch import log_odds

PRIOR = 10.0  # precision of the prior: parameters are as said to about 0.3
# Drawn parameters lie so much wider than the likelihood alone has it: three numbers are not the
# whole truth of a model, nor do held-out rows come quite as later ones do (employment_ma_acs).
WIDER = 1.5
OUT_OF_FOLD_WEIGHT = 0.5
MOST_LOST = 7.81  # the 95 % point of chi-square with three degrees of freedom
_STEPS = 50


class CalibrationMap(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters (a, b, c) and their covariance, row by row."""

    parameters: tuple[float, float, float] = (1.0, 1.0, 0.0)
    covariance: tuple[float, ...] = (0.0,) * 9

    def chances(self, probability: Array) -> FloatVector:
        """Return the chance of the event at each probability."""
        return sigmoid(design(probability) @ np.array(self.parameters))

    def drawn(self, probability: Array, draws: int, random: np.random.Generator) -> FloatMatrix:
        """Return chances under parameters drawn as they may be, shape (draws, n)."""
        covariance = np.array(self.covariance).reshape(3, 3)
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        steps = WIDER * random.standard_normal((draws, 3))
        drawn = np.array(self.parameters) + steps @ root.T
        return sigmoid(drawn @ design(probability).T)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)) without overflow."""
    result: Array = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result


def design(probability: Array) -> FloatMatrix:
    """Return ln p, -ln(1 - p) and 1 of each probability, shape (n, 3)."""
    odds = log_odds(probability)
    return np.column_stack([-np.logaddexp(0, -odds), np.logaddexp(0, odds), np.ones(len(odds))])


@dataclass(frozen=True)
class Observed:
    """Probabilities that were given and whether the event came, 1 or 0, each shape (n,)."""

    event: FloatVector
    probability: Array


def calibrate(held_out: Observed, out_of_fold: Observed | None) -> CalibrationMap:
    """Fit the map on held-out rows, and on the many rows that were answered out of fold.

    Those were answered by the models of one fold each, while all folds answer together in
    production, so a row of them counts less; and where they would read the held-out rows otherwise
    than these read themselves, surely (a likelihood ratio), they count nothing.
    """
    alone = fit_calibration(held_out.event, held_out.probability)
    if out_of_fold is None or not len(out_of_fold.event):
        return alone
    both = Observed(
        np.concatenate([held_out.event, out_of_fold.event]),
        np.concatenate([held_out.probability, out_of_fold.probability]),
    )
    weight = np.full(len(both.event), OUT_OF_FOLD_WEIGHT)
    weight[: len(held_out.event)] = 1.0
    together = fit_calibration(both.event, both.probability, weight)
    lost = _log_likelihood(alone, held_out) - _log_likelihood(together, held_out)
    return alone if 2 * lost > MOST_LOST else together


def _log_likelihood(calibration: CalibrationMap, observed: Observed) -> float:
    z = design(observed.probability) @ np.array(calibration.parameters)
    return float((observed.event * z - np.logaddexp(0, z)).sum())


def fit_calibration(
    event: FloatVector, probability: Array, weight: FloatVector | None = None
) -> CalibrationMap:
    """Fit the map by Newton's method on the penalised likelihood.

    Parameters
    ----------
    event
        1 where the event came, else 0, shape (n,).
    probability
        As the model gave it, shape (n,).
    weight
        How many rows each counts for, shape (n,); 1 if not given.

    Examples
    --------
    >>> p = np.linspace(0.01, 0.99, 2000)
    >>> event = (np.random.default_rng(0).random(2000) < p**2).astype(float)
    >>> abs(float(fit_calibration(event, p).chances(np.array([0.5]))[0]) - 0.25) < 0.05
    True
    """
    X = design(probability)
    counts = np.ones(len(event)) if weight is None else weight
    prior = np.array([1.0, 1.0, 0.0])
    beta = prior.copy()
    hessian = np.eye(3)
    for _ in range(_STEPS):
        chance = sigmoid(X @ beta)
        gradient = X.T @ (counts * (event - chance)) - PRIOR * (beta - prior)
        hessian = (X * (counts * chance * (1 - chance))[:, None]).T @ X + PRIOR * np.eye(3)
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 2.0 / max(2.0, float(np.abs(step).max())))
        beta = beta + step
        if float(np.abs(step).max()) < 1e-9:
            break
    covariance = np.linalg.inv(hessian)
    return CalibrationMap(
        parameters=(_short(beta[0]), _short(beta[1]), _short(beta[2])),
        covariance=tuple(_short(value) for value in covariance.ravel().tolist()),
    )


def _short(value: float) -> float:
    return float(f"{value:.9g}")
