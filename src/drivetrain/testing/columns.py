"""Example columns of each kind, and the cells that break encoders."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns
from drivetrain.core.contract import Column, Kind, Task
from drivetrain.core.folds import Fold, Folds
from drivetrain.features.encoder import Target

EDGES: dict[Kind, list[Any]] = {
    "number": [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, -0.0, 2.5, 2.0**60],
    "boolean": [np.nan, 0.0, 1.0],
    "category": ["", "never seen", "a\x1fb", "A", "x" * 3000, "Ωμέγα"],
    "text": ["", "?!", "never seen words", "Red RED red", "x" * 3000, "größe 漢字 🙂"],
    "datetime": [MISSING_TIME, MISSING_TIME + 1, np.iinfo(np.int64).max, 0, -1],
    "vector": [[np.nan] * 3, [np.inf, -np.inf, 0.0], [1e308, -1e308, 5e-324]],
}
WORDS = ("red", "green", "blue", "late", "cheap", "new", "old", "small")


def example_cells(kind: Kind, rows: int, *, seed: int = 0) -> Array:
    """Return cells as training sees them, some of them missing: typed as the graph takes them.

    Every level of a category has about three rows, few enough for its mean to give a target away.
    """
    random = np.random.default_rng(seed)
    levels = max(rows // 3, 2)
    missing = random.random(rows) < 0.1
    if kind == "number":
        return np.where(missing, np.nan, random.integers(0, levels, rows).astype(np.float64))
    if kind == "boolean":
        return np.where(missing, np.nan, random.integers(0, 2, rows).astype(np.float64))
    if kind == "datetime":
        cells = random.integers(0, 1_700_000_000_000_000, rows)
        return np.where(missing, MISSING_TIME, cells)
    if kind == "vector":
        return random.normal(size=(rows, 3))
    if kind == "category":
        texts = [f"level {number}" for number in random.integers(0, levels, rows)]
    else:
        texts = [" ".join(random.choice(WORDS, random.integers(1, 6))) for _ in range(rows)]
    return np.array(
        ["" if gone else text for gone, text in zip(missing, texts, strict=True)], object
    )


def edge_cells(kind: Kind) -> Array:
    """Return cells that training need not have seen: missing, infinite, huge, unseen, empty."""
    dtype = {"category": object, "text": object, "datetime": np.int64}.get(kind, np.float64)
    return np.array(EDGES[kind], dtype)


def example_columns(kind: Kind, rows: int, *, many: bool, seed: int = 0) -> Columns:
    """Return one column of the kind, or three for an encoder that takes many."""
    names = ("first", "second", "third") if many else ("first",)
    return {
        name: example_cells(kind, rows, seed=seed + number) for number, name in enumerate(names)
    }


def describe(columns: Columns, kind: Kind) -> tuple[Column, ...]:
    """Return the columns' Contract entries."""
    return tuple(Column(name=name, kind=kind) for name in columns)


def example_target(task: Task, rows: int, *, seed: int = 9) -> Target:
    """Return a target that no column tells anything about."""
    random = np.random.default_rng(seed)
    if task == "regression":
        return Target(random.normal(size=rows), task)
    classes = 2 if task == "binary" else 3
    return Target(random.integers(0, classes, rows).astype(np.float64), task, classes)


def example_folds(rows: int, *, by_time: bool = False, count: int = 4) -> Folds:
    """Return interleaved folds, or stretches of time of which the first has nothing to fit on."""
    numbers = np.arange(rows)
    part = numbers * count // max(rows, 1) if by_time else numbers % count
    folds = tuple(
        Fold(
            fit=numbers[part < number] if by_time else numbers[part != number],
            judge=numbers[part == number],
        )
        for number in range(count)
    )
    return Folds(folds, rows, "time" if by_time else "plain")
