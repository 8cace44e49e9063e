"""Sketch of one class's probabilities: counts on a fixed grid, split by whether it was predicted.

From these counts alone follow AUC, log loss, Brier score, accuracy and F1 of any assumed chance of
the event in each cell: what estimating quality without labels needs of a window, in 8 kB, exactly
mergeable. The grid is even in log-odds, so that probabilities near 0 and 1 stay apart.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array, FloatVector, IndexVector

CELLS = 480
WIDEST = 16.0  # log-odds; the graph's float32 probabilities resolve no more
_STEP = 2 * WIDEST / CELLS


def log_odds(probability: Array) -> FloatVector:
    """Return ln(p / (1 - p)), held inside the grid; NaN stays."""
    p = np.asarray(probability, dtype=np.float64)
    floor = 1.0 / (1.0 + np.exp(WIDEST))
    clipped = np.clip(p, floor, 1.0 - floor)
    odds: FloatVector = np.log(clipped) - np.log1p(-clipped)
    return odds


def grid() -> FloatVector:
    """Return the probability in the middle of each cell, ascending, shape (CELLS,)."""
    middle = -WIDEST + _STEP * (np.arange(CELLS) + 0.5)
    probability: FloatVector = 1.0 / (1.0 + np.exp(-middle))
    return probability


def cells(probability: Array) -> IndexVector:
    """Return the cell of each probability, shape (n,); they must not be NaN."""
    places = np.floor((log_odds(probability) + WIDEST) / _STEP).astype(np.int64)
    return np.clip(places, 0, CELLS - 1)


def count_scores(probability: Array, is_predicted: Array) -> IndexVector:
    """Count rows by cell and by whether the class was predicted.

    Parameters
    ----------
    probability
        Of the class, shape (n,), no NaN.
    is_predicted
        True where the class is the predicted label, shape (n,).

    Returns
    -------
    IndexVector
        Shape (2, CELLS): not predicted, predicted. Sketches merge by adding.
    """
    flat = cells(probability) + CELLS * np.asarray(is_predicted, dtype=np.int64)
    return np.bincount(flat, minlength=2 * CELLS).reshape(2, CELLS).astype(np.int64)
