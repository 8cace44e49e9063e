"""Folds: who is fitted on whom, in every internal split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import IndexVector, Mask


@dataclass(frozen=True)
class Fold:
    """Row numbers to fit on and row numbers to judge on; they never overlap.

    In a split by time, ``fit`` lies wholly before ``judge``. ``fit`` may be empty (the first
    stretch of time): models skip such a fold, encoders then fall back to the prior.
    """

    fit: IndexVector
    judge: IndexVector


@dataclass(frozen=True)
class Folds:
    """All folds of a run. The ``judge`` parts together cover every row exactly once."""

    parts: tuple[Fold, ...]
    rows: int
    kind: str  # "stratified", "plain", "group", "time"

    def for_models(self) -> tuple[Fold, ...]:
        """Folds that have rows to fit on."""
        return tuple(fold for fold in self.parts if len(fold.fit))

    def judged(self) -> Mask:
        """Rows that get an out-of-fold prediction from a model, shape (rows,)."""
        mask = np.zeros(self.rows, dtype=bool)
        for fold in self.for_models():
            mask[fold.judge] = True
        return mask
