"""Scores, ranks and paired intervals from the predictions that the systems left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True)
class Judged:
    """One system's predictions on one split; ``y`` is class numbers or values."""

    y: Vector
    prediction: Vector
    metric: str


def error(one: Judged, rows: npt.NDArray[np.int64] | slice = slice(None)) -> float:
    """Return 1 - AUC, log-loss or RMSE, the smaller the better."""
    return ERRORS[one.metric](one.y[rows], one.prediction[rows])


def _auc_error(y: Vector, prediction: Vector) -> float:
    score = prediction[:, 1] if prediction.ndim == 2 else prediction
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    # Tied scores share the mean of their ranks.
    starts = np.r_[True, ordered[1:] != ordered[:-1]]
    group = np.cumsum(starts) - 1
    counts = np.bincount(group)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    ranks = np.empty(len(score))
    ranks[order] = mean_rank[group]
    positive = y == 1
    n1, n0 = positive.sum(), (~positive).sum()
    return float(1 - (ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def _log_loss(y: Vector, prediction: Vector) -> float:
    chosen = prediction[np.arange(len(y)), y.astype(int)]
    return float(-np.log(np.clip(chosen, 1e-15, 1)).mean())


def _rmse(y: Vector, prediction: Vector) -> float:
    return float(np.sqrt(np.mean((y - prediction) ** 2)))


ERRORS: dict[str, Callable[[Vector, Vector], float]] = {
    "auc": _auc_error,
    "log_loss": _log_loss,
    "rmse": _rmse,
}


def paired_interval(ours: Judged, theirs: Judged, *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of ours minus theirs, relative to theirs."""
    rng = np.random.default_rng(seed)
    n = len(ours.y)
    differences = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, n, n)
        theirs_error = error(theirs, rows)
        differences.append((error(ours, rows) - theirs_error) / max(theirs_error, 1e-12))
    low, high = np.percentile(differences, [2.5, 97.5])
    return float(low), float(high)
