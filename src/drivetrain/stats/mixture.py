"""The weighted mean of predictions of the same rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drivetrain.core.arrays import FloatMatrix


def mixture(parts: Iterable[tuple[FloatMatrix, float]]) -> FloatMatrix:
    """Return the sum of predictions, (n, t) each, times their weights.

    Examples
    --------
    >>> mixture([(np.array([[1.0]]), 0.5), (np.array([[3.0]]), 0.5)])
    array([[2.]])
    """
    return np.asarray(np.sum([prediction * weight for prediction, weight in parts], axis=0))
