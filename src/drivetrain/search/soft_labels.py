"""Distillation: rows whose labels are half their own and half what a teacher says of them.

The teacher is the full ensemble; what it says of a row is out of fold, by models that have not
seen it, or the student would learn what they remember. A row of a classification becomes one row
for each class that has a share, weighted by it, so every family can learn from a teacher.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, IndexVector

SHARE = 0.5  # of the teacher in a label
LEAST = 0.02  # share of a class that is worth a row


def softened(
    y: FloatVector, teacher: FloatMatrix, weight: FloatVector | None, classes: int
) -> tuple[IndexVector, FloatVector, FloatVector | None]:
    """Mix labels with a teacher's.

    Parameters
    ----------
    y
        Class numbers or values, (n,).
    teacher
        Probability of class 1 (n, 1), probabilities (n, K), or values (n, 1); NaN in rows of which
        it says nothing.
    classes
        K; 0 for a regression.

    Returns
    -------
    tuple
        For each row to learn from: which of the n it is, its target, its weight.

    Examples
    --------
    >>> rows, y, weight = softened(np.array([1.0, 0.0]), np.array([[0.6], [0.0]]), None, 2)
    >>> rows.tolist(), y.tolist(), weight.tolist()
    ([0, 0, 1], [0.0, 1.0, 0.0], [0.2, 0.8, 1.0])
    """
    known = ~np.isnan(teacher[:, 0])
    if not classes:
        mixed = SHARE * teacher[:, 0] + (1.0 - SHARE) * y
        return np.arange(len(y)), np.where(known, mixed, y), weight
    said = np.hstack([1.0 - teacher, teacher]) if teacher.shape[1] == 1 else teacher
    own = np.zeros((len(y), said.shape[1]))
    own[np.arange(len(y)), y.astype(np.int64)] = 1.0
    shares = np.where(known[:, None], SHARE * said + (1.0 - SHARE) * own, own)
    rows, labels = np.nonzero(shares >= LEAST)
    weights = shares[rows, labels] if weight is None else shares[rows, labels] * weight[rows]
    return rows, labels.astype(np.float64), weights
