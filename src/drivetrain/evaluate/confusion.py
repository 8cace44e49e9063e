"""Which classes are taken for which."""

from __future__ import annotations

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatVector

MOST_CLASSES = 20  # a wider matrix is not read by people; its mistakes are listed instead
MOST_MISTAKES = 15


class ClassRow(msgspec.Struct, frozen=True, kw_only=True):
    """One class: how often it occurs, is found, and is named rightly."""

    name: str
    rows: int
    predicted: int
    recall: float | None  # share of its rows that are found; None without rows
    precision: float | None  # share of its predictions that are right; None if never predicted


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one class that were given the label of another."""

    true: str
    predicted: str
    rows: int


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by true class (rows) and predicted class; empty beyond 20 classes."""

    counts: tuple[tuple[int, ...], ...]
    classes: tuple[ClassRow, ...]
    mistakes: tuple[Mistake, ...]  # most frequent first


def confusion(y: FloatVector, predicted: FloatVector, names: tuple[str, ...]) -> Confusion:
    """Count true against predicted class numbers, both float64 (n,)."""
    size = len(names)
    cells = y.astype(np.int64) * size + predicted.astype(np.int64)
    counts = np.bincount(cells, minlength=size * size).reshape(size, size)
    true, named, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    rows = tuple(
        ClassRow(
            name=names[k],
            rows=int(true[k]),
            predicted=int(named[k]),
            recall=float(right[k] / true[k]) if true[k] else None,
            precision=float(right[k] / named[k]) if named[k] else None,
        )
        for k in range(size)
    )
    wrong = counts - np.diag(right)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_MISTAKES]
    mistakes = tuple(
        Mistake(true=names[cell // size], predicted=names[cell % size], rows=int(wrong.flat[cell]))
        for cell in order.tolist()
        if wrong.flat[cell] > 0
    )
    shown = counts.tolist() if size <= MOST_CLASSES else []
    return Confusion(counts=tuple(map(tuple, shown)), classes=rows, mistakes=mistakes)
