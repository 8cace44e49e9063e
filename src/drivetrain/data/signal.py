"""How much one column alone says of the target: out-of-fold means over its bins or categories."""

from __future__ import annotations

import hashlib

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Column
from drivetrain.stats.metrics import score

BINS = 64
FOLDS = 3
SMOOTHING = 5.0  # rows of prior in every mean


def codes_of(values: Array, about: Column) -> tuple[IndexVector, int]:
    """Code a column: categories by first appearance, numbers and times by quantile bin.

    A number of few distinct values keeps each apart. Missing is a code of its own. Returns codes
    int64 (n,) and their count.
    """
    if about.kind in ("category", "text"):
        known: dict[str, int] = {}
        codes = np.array([known.setdefault(text, len(known)) for text in values], dtype=np.int64)
        return codes, len(known)
    if about.kind == "vector":
        return np.zeros(len(values), dtype=np.int64), 1
    numbers = values.astype(np.float64)
    if about.kind == "datetime":
        numbers[values == MISSING_TIME] = np.nan
    present = numbers[~np.isnan(numbers)]
    edges = np.unique(present)
    if len(edges) > BINS:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:], method="lower"))
    codes = np.searchsorted(edges, numbers)  # NaN sorts behind every edge
    return codes.astype(np.int64), len(edges) + 1


def key_of(values: Array) -> bytes:
    """Return a digest of :func:`one_to_one_key`, which is as long as the column."""
    return hashlib.blake2b(one_to_one_key(values), digest_size=16).digest()


def one_to_one_key(values: Array) -> bytes:
    """Return what two columns share if and only if they map to each other one to one.

    Where nearly every row has a value of its own, any two columns would: then the values
    themselves must be equal, or for numbers their order, up or down.
    """
    codes = first_appearance(values)
    if codes.max() + 1 <= 0.5 * len(codes):
        return codes.tobytes()
    if values.dtype == object:
        return "\x1f".join(values.tolist()).encode()
    missing = values == MISSING_TIME if values.dtype.kind == "i" else np.isnan(values)
    distinct, rank = np.unique(values[~missing], return_inverse=True)
    rising, falling = (np.full(len(values), -1, dtype=np.int64) for _ in range(2))
    rising[~missing], falling[~missing] = rank, len(distinct) - 1 - rank
    return b"order" + min(rising.tobytes(), falling.tobytes())


def first_appearance(values: Array) -> IndexVector:
    """Number distinct values in the order in which they first appear, missing as one of them."""
    if values.dtype == object:
        known: dict[str, int] = {}
        return np.array([known.setdefault(text, len(known)) for text in values], dtype=np.int64)
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    renamed: IndexVector = order[codes]
    return renamed


class OutOfFold:
    """Predicts a target from one column's codes, each row by the other folds' means.

    Parameters
    ----------
    y
        Shape (n, t): values, class 1, or one column for each class.
    """

    def __init__(self, y: FloatMatrix) -> None:
        self.y = y
        self.fold = np.random.default_rng(0).integers(0, FOLDS, len(y))

    def predict(self, codes: IndexVector, count: int) -> FloatMatrix:
        """Return the smoothed mean of the other folds for each row's code, shape (n, t)."""
        predicted = np.empty_like(self.y, dtype=np.float64)
        for fold in range(FOLDS):
            fit, judge = self.fold != fold, self.fold == fold
            if not fit.any():
                fit = np.ones(len(self.y), dtype=bool)
            prior = self.y[fit].mean(axis=0)
            weight = np.bincount(codes[fit], minlength=count)[:, None] + SMOOTHING
            for at in range(self.y.shape[1]):
                total = np.bincount(codes[fit], weights=self.y[fit, at], minlength=count)
                means = (total + SMOOTHING * prior[at]) / weight[:, 0]
                predicted[judge, at] = means[codes[judge]]
        return predicted


def explained_share(y: FloatMatrix, predicted: FloatMatrix) -> float:
    """Return the share of the target's squared deviation that a prediction explains, <= 1."""
    total = float(((y - y.mean(axis=0)) ** 2).sum())
    return 1.0 - float(((y - predicted) ** 2).sum()) / total if total > 0 else 0.0


def ranked(values: FloatVector) -> FloatVector:
    """Return ranks from 0 to 1, ties alike: what a long tail cannot dominate."""
    _, rank, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    share: FloatVector = middle[rank] / max(len(values) - 1, 1)
    return share


def separation(y: FloatVector, predicted: FloatVector) -> float:
    """Return the area under the ROC curve of a prediction of class 1."""
    return float(score("auc", y, np.column_stack([1 - predicted, predicted])))
