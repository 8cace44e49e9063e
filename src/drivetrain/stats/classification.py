"""Metrics of labels and of probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.stats.metric import Weighted, weighted_mean

# The graph's probabilities are float32, so a probability of exactly 0 or 1 means "below its
# resolution". One bound for float32 and float64 keeps both comparable.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)


def log_loss(y: FloatVector, probabilities: Array) -> Weighted:
    """Mean surprise at the true class, -ln p, 0 to 15.9 nats; 0 is certain and right.

    Probabilities are clipped to [1.2e-7, 1 - 1.2e-7]. Less is better. A proper score: only true
    probabilities minimise it. Source: Good, doi:10.1111/j.2517-6161.1952.tb00104.x.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    p_true = p[np.arange(len(y)), y.astype(np.int64)]
    return weighted_mean(-np.log(np.clip(p_true, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))


def brier(y: FloatVector, probabilities: Array) -> Weighted:
    """Mean squared error of the probabilities, 0 to 1 (two classes) or 0 to 2; 0 is perfect.

    Two classes: (p - y)^2 of class 1. More: summed over the classes. Less is better. A proper
    score. Source: Brier, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape[1] == 2:
        return weighted_mean((p[:, 1] - y) ** 2)
    p_true = p[np.arange(len(y)), y.astype(np.int64)]
    return weighted_mean((p**2).sum(axis=1) - 2 * p_true + 1)


def accuracy(y: FloatVector, labels: Array) -> Weighted:
    """Share of rows whose label is right, 0 to 1. Greater is better.

    Misleads where one class is frequent: always naming it scores its share.
    """
    return weighted_mean((y == labels).astype(np.float64))


def confusion(y: FloatVector, labels: Array) -> Callable[[FloatVector], FloatMatrix]:
    """Return the confusion matrix as a function of the row weights.

    Rows are true classes, columns predicted ones, shape (K, K), where K is one more than the
    greatest class number met, at least 2.
    """
    truth = y.astype(np.int64)
    predicted = np.asarray(labels).astype(np.int64)
    size = 1 + int(max(truth.max(initial=1), predicted.max(initial=1)))
    cells = truth * size + predicted

    def matrix(weight: FloatVector) -> FloatMatrix:
        flat = np.bincount(cells, weights=weight, minlength=size * size)
        return flat.astype(np.float64).reshape(size, size)

    return matrix


def balanced_accuracy(y: FloatVector, labels: Array) -> Weighted:
    """Mean over the classes of the share found of each, 0 to 1; chance is 1/K. Greater is better.

    Classes that do not occur in ``y`` are left out.
    Source: Brodersen et al., doi:10.1109/ICPR.2010.764.
    """

    confusions = confusion(y, labels)

    def score(weight: FloatVector) -> float:
        matrix = confusions(weight)
        totals = matrix.sum(axis=1)
        occurs = totals > 0
        if not occurs.any():
            return float("nan")
        return float((np.diag(matrix)[occurs] / totals[occurs]).mean())

    return score


def _f1_of_classes(matrix: FloatMatrix) -> FloatVector:
    """F1 of each class, NaN for a class that is neither true nor predicted anywhere."""
    size = matrix.sum(axis=0) + matrix.sum(axis=1)
    scores: FloatVector = np.full(len(size), np.nan)
    np.divide(2 * np.diag(matrix), size, out=scores, where=size > 0)
    return scores


def f1(y: FloatVector, labels: Array) -> Weighted:
    """Harmonic mean of precision and recall of the second class, 0 to 1. Greater is better.

    0 where the class is neither present nor predicted.
    Source: van Rijsbergen, Information Retrieval (1979), ch. 7.
    """

    confusions = confusion(y, labels)

    def score(weight: FloatVector) -> float:
        return float(np.nan_to_num(_f1_of_classes(confusions(weight))[1]))

    return score


def f1_macro(y: FloatVector, labels: Array) -> Weighted:
    """Mean of the classes' F1, 0 to 1: a rare class counts as much as a common one.

    Over the classes that are true or predicted somewhere. Greater is better.
    """

    confusions = confusion(y, labels)

    def score(weight: FloatVector) -> float:
        return float(np.nanmean(_f1_of_classes(confusions(weight))))

    return score


def matthews(y: FloatVector, labels: Array) -> Weighted:
    """Correlation between true and predicted labels, -1 to 1; 0 is chance. Greater is better.

    Fair under imbalance. 0 where all labels or all predictions are one class.
    Source: Gorodkin's R_K, doi:10.1016/j.compbiolchem.2004.09.006.
    """

    confusions = confusion(y, labels)

    def score(weight: FloatVector) -> float:
        matrix = confusions(weight)
        true, predicted, total = matrix.sum(axis=1), matrix.sum(axis=0), matrix.sum()
        covariance = np.trace(matrix) * total - true @ predicted
        spread = (total**2 - predicted @ predicted) * (total**2 - true @ true)
        return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0

    return score
