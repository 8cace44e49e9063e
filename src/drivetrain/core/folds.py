"""Folds: who is fitted on whom, in every internal split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
    """All folds of a run, or of the rows of one of its models.

    No row is judged twice, and what a fold fits on is made of whole ``judge`` parts of others.

    Attributes
    ----------
    cells
        Of each row, (rows,): finer parts that folds within a fold are made of, each in one
        ``judge`` part only, no group in two; None: they are made of the ``judge`` parts.
    """

    parts: tuple[Fold, ...]
    rows: int
    kind: str  # "stratified", "plain", "group", "time"
    cells: IndexVector | None = None

    def for_models(self) -> tuple[Fold, ...]:
        """Folds that have rows to fit on."""
        return tuple(fold for fold in self.parts if len(fold.fit))

    def judged(self) -> Mask:
        """Rows that get an out-of-fold prediction from a model, shape (rows,)."""
        mask = np.zeros(self.rows, dtype=bool)
        for fold in self.for_models():
            mask[fold.judge] = True
        return mask

    @cached_property
    def part_of(self) -> IndexVector:
        """Number of the fold that judges each row, (rows,); -1 where none does."""
        part = np.full(self.rows, -1)
        for number, fold in enumerate(self.parts):
            part[fold.judge] = number
        return part

    @cached_property
    def fits_on(self) -> Mask:
        """Whether fold i fits on what fold j judges, (folds, folds)."""
        count = len(self.parts)
        fits = [np.bincount(self.part_of[fold.fit], minlength=count) for fold in self.parts]
        return np.stack(fits) > 0

    @property
    def known(self) -> IndexVector:
        """Rows that at least one fold fits on."""
        by_part = np.append(self.fits_on.any(axis=0), False)
        return np.flatnonzero(by_part[self.part_of])

    def within(self, fold: Fold) -> Folds:
        """Return the folds by which encoders make what the models of one fold see.

        The rows that it fits on are judged by one another; the rows that it is judged by, by all of
        these. So no feature of a row that a model learns from knows a target that the model is
        judged by.
        """
        mine = np.zeros(self.rows, dtype=bool)
        mine[fold.fit] = True
        if self.kind == "time":
            inner = [Fold(one.fit[mine[one.fit]], one.judge[mine[one.judge]]) for one in self.parts]
        else:
            cell = (self.part_of if self.cells is None else self.cells)[fold.fit]
            inner = [Fold(fold.fit[cell != one], fold.fit[cell == one]) for one in np.unique(cell)]
        judged = Fold(fold.fit, fold.judge[~mine[fold.judge]])
        parts = tuple(one for one in (*inner, judged) if len(one.judge))
        return Folds(parts, self.rows, self.kind)
