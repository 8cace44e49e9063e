"""Metrics of order: how well the scores rank the rows."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array, FloatVector, IndexVector
from drivetrain.stats.metric import Weighted, dot


def _sorted_groups(score: FloatVector) -> tuple[IndexVector, IndexVector]:
    """Return rows from the greatest score down, and the position where each group of ties ends."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    return order, ends


def _counts(
    weight: FloatVector, positive: FloatVector, order: IndexVector, ends: IndexVector
) -> tuple[FloatVector, FloatVector]:
    """Return weights of true and of all rows above each distinct score, each (groups + 1,)."""
    ordered = weight[order]
    true = np.concatenate(([0.0], np.cumsum(ordered * positive)[ends]))
    everything = np.concatenate(([0.0], np.cumsum(ordered)[ends]))
    return true, everything


def _binary_auc(y: FloatVector, score: FloatVector) -> Weighted:
    order, ends = _sorted_groups(score)
    positive = y[order]

    def auc(weight: FloatVector) -> float:
        true, everything = _counts(weight, positive, order, ends)
        false = everything - true
        area = true[-1] * false[-1]
        # Trapezoids count a tie between a positive and a negative as half.
        return float(np.trapezoid(true, false) / area) if area > 0 else float("nan")

    return auc


def _binary_average_precision(y: FloatVector, score: FloatVector) -> Weighted:
    order, ends = _sorted_groups(score)
    positive = y[order]

    def average_precision(weight: FloatVector) -> float:
        true, everything = _counts(weight, positive, order, ends)
        if true[-1] <= 0:
            return float("nan")
        precision = np.divide(true, everything, out=np.zeros_like(true), where=everything > 0)
        return dot(np.diff(true), precision[1:]) / float(true[-1])

    return average_precision


def _macro(parts: list[Weighted]) -> Weighted:
    """Mean over the classes for which the measure is defined."""

    def mean(weight: FloatVector) -> float:
        scores = np.array([part(weight) for part in parts])
        defined = scores[~np.isnan(scores)]
        return float(defined.mean()) if len(defined) else float("nan")

    return mean


def auc(y: FloatVector, probabilities: Array) -> Weighted:
    """Share of pairs of one row of each class that are ranked rightly, 0 to 1; 0.5 is chance.

    Area under the receiver operating characteristic; ties count half. Multiclass: one against the
    rest, mean over classes (macro) that occur in ``y``. Greater is better. NaN with one class only.

    Source: Hanley and McNeil, Radiology 143 (1982); Fawcett, doi:10.1016/j.patrec.2005.10.010.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape[1] == 2:
        return _binary_auc(y, p[:, 1])
    return _macro([_binary_auc((y == k).astype(np.float64), p[:, k]) for k in range(p.shape[1])])


def average_precision(y: FloatVector, probabilities: Array) -> Weighted:
    """Mean precision over all recalls, 0 to 1; chance is the share of the class.

    Sum over thresholds of (R_i - R_{i-1}) P_i, without interpolation. Multiclass: one against the
    rest, mean over classes that occur in ``y``. Greater is better. Prefer it to AUC where the class
    looked for is rare.

    Source: Zhu, Recall, precision and average precision (2004), as scikit-learn computes it.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape[1] == 2:
        return _binary_average_precision(y, p[:, 1])
    return _macro(
        [_binary_average_precision((y == k).astype(np.float64), p[:, k]) for k in range(p.shape[1])]
    )
