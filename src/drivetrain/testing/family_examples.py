"""Rows that families are fitted on by their suite, and the fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.run import run_blocks
from drivetrain.models.family import Budget, Family, Fitted, Shape, Space, Validation

ROWS = 300
LARGEST = float(np.finfo(np.float32).max)
_SMALL = (0.0, 1e-45, 1e-35, 1.1e-35, 1e-30, 1e30, LARGEST)
EDGES = np.array([sign * value for value in _SMALL for sign in (1.0, -1.0)], np.float32)
MOST_STEPS = 60  # the clock runs out after these, so that a suite takes seconds


@dataclass
class CountedClock:
    """A clock that runs out after it was asked ``left`` times."""

    left: int = MOST_STEPS
    asked: int = 0

    def remaining_s(self) -> float:
        """Return an hour, or 0 when the asking is over."""
        self.asked += 1
        return 3600.0 if self.asked <= self.left else 0.0


@dataclass(frozen=True)
class Rows:
    """Rows to learn from: X (n, k), y (n,)."""

    X: Features
    y: FloatVector


def example_rows(task: Task, encoding: str, *, seed: int = 0, rows: int = ROWS) -> Rows:
    """Return five features: whole, continuous, tiny, constant and, for trees, with NaN.

    The target can be learnt from the first two.
    """
    random = np.random.default_rng(seed)
    X = np.column_stack(
        [
            random.integers(-4, 5, rows),
            random.normal(size=rows),
            random.choice([0.0, 1e-36, -1e-36, 1e-34, -1e-34], rows),
            np.ones(rows),
            random.normal(size=rows),
        ]
    ).astype(np.float32)
    if encoding == "trees":
        X[random.random(rows) < 0.3, 4] = np.nan
    signal = X[:, 0] / 2 + X[:, 1] + 0.3 * random.normal(size=rows)
    if task == "regression":
        return Rows(X, signal.astype(np.float64))
    cuts = [0.0] if task == "binary" else [-1.0, 1.0]
    return Rows(X, np.digitize(signal, cuts).astype(np.float64))


def classes_of(task: Task) -> int:
    """Return the K of the examples."""
    return {"binary": 2, "multiclass": 3, "regression": 0}[task]


def space_of(family: Family, task: Task) -> Space:
    """Return the family's space for the examples."""
    return family.space(task, Shape(ROWS, 5, classes_of(task)))


def fit(
    family: Family,
    task: Task,
    *,
    rows: Rows | None = None,
    weight: FloatVector | None = None,
    validated: bool = True,
    clock: CountedClock | None = None,
    seed: int = 0,
    **changed: Any,
) -> Fitted:
    """Fit with the first default on the examples, or on the rows given."""
    space = space_of(family, task)
    rows = rows or example_rows(task, space.encoding)
    judge = example_rows(task, space.encoding, seed=1, rows=100)
    return family.fit(
        rows.X,
        rows.y,
        task=task,
        classes=classes_of(task),
        metric="rmse" if task == "regression" else "log_loss",
        weight=weight,
        validation=Validation(judge.X, judge.y) if validated else None,
        parameters={**space.defaults[0], **changed},
        budget=Budget((clock or CountedClock()).remaining_s),
        seed=seed,
    )


def margin_of(blocks: tuple[Block, ...], X: Features) -> FloatMatrix:
    """Return what the graph answers."""
    return run_blocks(blocks, {}, ["margin"], {"X": X})["margin"]


def hard_rows(fitted: Fitted, encoding: str) -> Features:
    """Return rows on every threshold of the model and one float32 beside it, and edge values."""
    base = example_rows("regression", encoding, seed=2, rows=40).X
    rows = [base]
    for block in fitted.blocks():
        if isinstance(block, Trees):
            for number in range(base.shape[1]):
                on = np.unique(block.threshold[block.feature == number]).astype(np.float32)
                on = on[np.abs(on) < LARGEST]
                down, up = (np.nextafter(on, np.float32(way)) for way in (-np.inf, np.inf))
                values = np.concatenate([on, down, up, EDGES, np.full(1, np.nan, np.float32)])
                moved = base[np.arange(len(values)) % len(base)].copy()
                moved[:, number] = values
                rows.append(moved)
    if encoding == "linear":
        rows.append(np.repeat(np.array([[10.0], [-10.0], [0.0]], np.float32), 5, axis=1))
    return np.concatenate(rows)


def explains(margin: FloatMatrix, y: FloatVector, task: Task) -> bool:
    """Say whether margins are closer to the target than its best constant."""
    if task == "regression":
        return bool(((margin[:, 0] - y) ** 2).mean() < 0.5 * y.var())
    if task == "binary":
        order: Callable[[FloatVector], float] = np.median
        return bool(order(margin[y == 1, 0]) > order(margin[y == 0, 0]))
    return bool((margin.argmax(axis=1) == y).mean() > 0.6)
