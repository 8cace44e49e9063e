"""The model of rows whose targets are all equal, for libraries that refuse them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.trees import Trees
from drivetrain.models.family import Link

ABSENT_MARGIN = -20.0  # of a class that no fitted row has: exp(-20) is 2e-9


@dataclass(frozen=True)
class FittedConstant:
    """Answers the same margins, shape (t,), whatever the features are."""

    margins: FloatVector
    link: Link
    details: dict[str, Any] = field(default_factory=lambda: {"constant": True})

    def predict(self, X: Features) -> FloatMatrix:
        """Return the same margins for every row, (n, t)."""
        return np.repeat(self.margins[None, :], len(X), axis=0)

    def blocks(self) -> tuple[Block, ...]:
        """Return a tree of one leaf: it asks no feature, so NaN in one changes nothing."""
        none = np.zeros(0, np.int32)
        return (
            Trees(
                feature=none,
                threshold=np.zeros(0),
                left=none,
                right=none,
                missing_left=np.zeros(0, bool),
                roots=np.array([-1], np.int32),
                target=np.zeros(1, np.int32),
                leaf=np.zeros(1),
                targets=len(self.margins),
                base=self.margins,
            ),
        )


def fit_constant(y: FloatVector, task: Task, classes: int) -> FittedConstant:
    """Return the model of equal targets ``y``: a class as sure as their number allows."""
    if task == "regression":
        return FittedConstant(np.array([y[0]], np.float64), "identity")
    if task == "binary":
        margin = float(np.log(2.0 * len(y) + 1.0))
        return FittedConstant(np.array([margin if y[0] == 1 else -margin]), "sigmoid")
    margins = np.full(classes, ABSENT_MARGIN)
    margins[int(y[0])] = 0.0
    return FittedConstant(margins, "softmax")
