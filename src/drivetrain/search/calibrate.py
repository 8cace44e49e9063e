"""Calibration: whether the blend's probabilities are raised to a power before they are served.

Temperature scaling and, for two classes, beta calibration are fitted on out-of-fold probabilities.
A model fitted on log-loss has little to gain, and what suits one sample may be luck, so a curve is
taken only if it wins out of fold: fitted on four fifths of the rows, judged on the others.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, IndexVector
from drivetrain.core.findings import Decision
from drivetrain.core.folds import Folds
from drivetrain.graph.blocks.powers import LEAST, Powers

PARTS = 5
SURE = 2.0  # standard errors by which the gain in log-loss must be above 0
FEWEST_ROWS = 300
MOST_ROWS = 20_000  # that are enough to fit three numbers on
STRICT = 1e-3  # of the penalty that holds the curve near the identity, for each row
BOUNDS = (0.2, 5.0)  # of a power


def choose_calibration(
    probability: FloatMatrix,
    y: FloatVector,
    weight: FloatVector | None,
    folds: Folds,
) -> tuple[tuple[Powers, ...], Decision]:
    """Choose a calibration of the blend, or none.

    Parameters
    ----------
    probability
        Out of fold, of the rows that the folds judge: of class 1 (n, 1), or every class (n, K).
    folds
        Rows of one fold are judged together, by a curve of the other folds' rows; in a split by
        time, of earlier folds' rows only.

    Returns
    -------
    tuple
        Nothing, or one block from ``blend`` to ``calibrated``; and why.
    """
    if len(y) < FEWEST_ROWS or len(np.unique(y)) < 2:
        return (), _kept(f"{len(y):,} rows are too few to tell whether another curve is better.")
    weights = np.ones(len(y)) if weight is None else weight
    chosen = np.arange(len(y))
    if len(y) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(len(y), MOST_ROWS, replace=False))
    parts = _parts_of(folds)[chosen]
    probability, y, weights = probability[chosen], y[chosen], weights[chosen]
    kinds = ("temperature", "beta") if probability.shape[1] == 1 else ("temperature",)
    gains = {
        kind: _gains(kind, probability, y, weights, parts, in_order=folds.kind == "time")
        for kind in kinds
    }
    means = {kind: float(np.average(gain, weights=weights)) for kind, gain in gains.items()}
    kind = max(means, key=means.__getitem__)
    error = float(np.std(gains[kind] * weights) / weights.mean() / np.sqrt(len(y)))
    if means[kind] <= SURE * error:
        return (), _kept(
            f"Out of fold, {kind} scaling changes the log-loss by {-means[kind]:+.5f} (standard "
            f"error {error:.5f}): not surely a gain."
        )
    block = _fit(kind, probability, y, weights)
    powers = ", ".join(f"{power:.3f}" for power in np.unique(block.power.round(3)))
    return (block,), Decision(
        subject="calibration",
        choice=f"{kind}, power {powers}",
        reason=f"Fitted on some rows and judged on others, it takes {means[kind]:.5f} off the "
        f"log-loss (standard error {error:.5f}).",
    )


def _parts_of(folds: Folds) -> IndexVector:
    """Return, for each row that a fold judges, the part it is in; neighbouring folds share one."""
    number = np.full(folds.rows, -1)
    fitted = folds.for_models()
    for place, fold in enumerate(fitted):
        number[fold.judge] = place * min(PARTS, len(fitted)) // len(fitted)
    return number[number >= 0]


def _gains(
    kind: str,
    probability: FloatMatrix,
    y: FloatVector,
    weight: FloatVector,
    parts: IndexVector,
    *,
    in_order: bool,
) -> FloatVector:
    """Return by how much each row's log-loss falls under a curve of other parts' rows.

    A part for which there are no such rows gains nothing.
    """
    gains = np.zeros(len(y))
    for number in np.unique(parts):
        judge = parts == number
        fit = parts < number if in_order else ~judge
        if fit.any():
            block = _fit(kind, probability[fit], y[fit], weight[fit])
            calibrated = block.of(probability[judge])
            gains[judge] = _losses(probability[judge], y[judge]) - _losses(calibrated, y[judge])
    return gains


def _losses(probability: FloatMatrix, y: FloatVector) -> FloatVector:
    wide = _every_class(probability)
    true = wide[np.arange(len(y)), y.astype(np.int64)] / wide.sum(axis=1)
    return np.asarray(-np.log(true))


def _every_class(probability: FloatMatrix) -> FloatMatrix:
    single = probability.shape[1] == 1
    wide = np.hstack([1.0 - probability, probability]) if single else probability
    return np.asarray(np.maximum(wide, LEAST))


def _fit(kind: str, probability: FloatMatrix, y: FloatVector, weight: FloatVector) -> Powers:
    """Minimise the log-loss over powers and, for beta, a factor; near the identity, all else equal.

    Logarithms of powers are searched, so powers stay positive and the curve rises.
    """
    from scipy.optimize import minimize

    logs = np.log(_every_class(probability))
    classes = logs.shape[1]
    rows, truth = np.arange(len(y)), y.astype(np.int64)

    def unpacked(found: FloatVector) -> tuple[FloatVector, FloatVector]:
        if kind == "beta":
            return np.exp(found[:2]), np.array([0.0, found[2]])
        return np.full(classes, np.exp(found[0])), np.zeros(classes)

    def loss(found: FloatVector) -> float:
        power, offset = unpacked(found)
        score = logs * power + offset
        highest = score.max(axis=1)
        total = highest + np.log(np.exp(score - highest[:, None]).sum(axis=1))
        value = np.average(total - score[rows, truth], weights=weight)
        return float(value + STRICT * np.square(found).sum())

    low, high = np.log(BOUNDS)
    bounds = [(low, high)] * 2 + [(-3.0, 3.0)] if kind == "beta" else [(low, high)]
    found = minimize(loss, np.zeros(len(bounds)), method="L-BFGS-B", bounds=bounds).x
    power, offset = unpacked(found)
    return Powers("blend", "calibrated", power, np.exp(offset))


def _kept(reason: str) -> Decision:
    return Decision(subject="calibration", choice="none", reason=reason)
