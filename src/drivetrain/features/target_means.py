"""Target encoding: a level becomes the smoothed mean of the target on its rows.

A row's own target may not reach its own feature, or a model learns to read it there; nor may the
targets that judge a model reach what it learns from, or it reads them where the level is known as
well: the lower its mean without them, the higher they are. So training rows get means over other
rows by the folds within each fold (``Folds.within``), while serving looks up means over all rows.
D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from drivetrain.core.arrays import Columns, Features, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Column
from drivetrain.core.folds import Folds
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.levels import Levels, find_levels, read_texts
from drivetrain.graph.blocks.lookup import Lookup

FLOAT32_MAX = float(np.finfo(np.float32).max)


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoders ``target`` and ``cross``."""

    alpha: Annotated[
        float, msgspec.Meta(gt=0, description="rows that the overall mean counts for")
    ] = 10.0
    rank: Annotated[bool, msgspec.Meta(description="add the rank by frequency")] = False
    count: Annotated[
        bool, msgspec.Meta(description="add the logarithm of the number of other rows with it")
    ] = False
    scale: Annotated[
        bool, msgspec.Meta(description="centre and scale the means, for linear models and nets")
    ] = False
    limit: Annotated[int, msgspec.Meta(ge=1, description="most levels kept")] = 10_000
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest rows of a level")] = 2


def fit_target_means(
    columns: Columns,
    about: tuple[Column, ...],
    target: Target,
    weight: FloatVector | None,
    options: Parameters,
) -> FittedEncoder:
    """Fit one target encoding of one column, or of several joined.

    Unseen levels get the mean of all targets.
    """
    texts = read_texts(columns, about)
    levels = find_levels(texts.cells, limit=options.limit, min_count=options.min_count)
    name = " × ".join(column.name for column in about)
    means = TargetMeans(levels, target, weight, options.alpha, is_scaled=options.scale)
    table = means.table()
    names = names_of(name, table.shape[1])
    beside, seen = _beside(levels, options)
    names += tuple(f"{name}:{what}" for what in ("rank", "count") if getattr(options, what))
    narrow = to_float32(np.hstack([table, beside]))
    lookup = Lookup(texts.wire, "features", levels.keys, narrow[:-1], narrow[-1])

    def out_of_fold(folds: Folds) -> Features:
        return to_float32(np.hstack([means.out_of_fold(folds), seen]))

    return FittedEncoder((*texts.blocks, lookup), names, out_of_fold)


def _beside(levels: Levels, options: Parameters) -> tuple[FloatMatrix, FloatMatrix]:
    """Return what stands beside the means: of each level, (K + 1, r), and of each row, (n, r).

    A training row's own is not counted in how often training has its level: it is no evidence.
    """
    table, rows = [], []
    if options.rank:
        table.append(np.arange(levels.count + 1.0))
        rows.append(levels.codes.astype(np.float64))
    if options.count:
        counts = np.append(levels.counts, 0.0)
        table.append(np.log1p(counts))
        rows.append(np.log1p(np.maximum(counts - 1.0, 0.0)[levels.codes]))
    shape = (levels.count + 1, 0), (len(levels.codes), 0)
    if not table:
        return np.zeros(shape[0]), np.zeros(shape[1])
    return np.stack(table, axis=1), np.stack(rows, axis=1)


@dataclass(frozen=True)
class TargetMeans:
    """Smoothed means of the target over the levels of training rows, t of each.

    ``is_scaled`` takes the overall mean off, and divides by the spread of the rows' means.
    """

    levels: Levels
    target: Target
    weight: FloatVector | None
    alpha: float
    is_scaled: bool = False

    def table(self) -> FloatMatrix:
        """Return the means of each level over all rows, the overall mean last: (K + 1, t)."""
        everything = np.arange(len(self.levels.codes))
        sums = self._sums(np.zeros(len(everything), np.int64), 1)
        means = self._means(sums[0])
        return self._scaled(means, means, everything)

    def out_of_fold(self, folds: Folds) -> FloatMatrix:
        """Return each row's mean over the rows that its fold fits on, (n, t).

        A fold that fits on no row gets the overall mean of those that others fit on.
        """
        part = folds.part_of
        judged = np.flatnonzero(part >= 0)
        sums = self._sums(part, len(folds.parts))
        overall = self._means(sums[folds.fits_on.any(axis=0)].sum(axis=0))
        seen = np.full((len(part), overall.shape[1]), overall[-1])
        tables = np.empty((len(folds.parts), *overall.shape))
        for number, fitted in enumerate(folds.fits_on):
            tables[number] = self._means(sums[fitted].sum(axis=0)) if fitted.any() else overall[-1]
        seen[judged] = tables[part[judged], self.levels.codes[judged]]
        return self._scaled(seen, overall, folds.known)

    def _sums(self, part: IndexVector, parts: int) -> FloatMatrix:
        """Return the weight, and the weighted sums, of each level in each part.

        Shape (parts, K + 1, 1 + t); the last level is that of texts that are none.
        """
        rows = np.flatnonzero(part >= 0)
        width = self.levels.count + 1
        place = part[rows] * width + self.levels.codes[rows]
        weight = np.ones(len(rows)) if self.weight is None else self.weight[rows]
        values = self.target.one_hot()[rows]
        columns = [weight, *(weight * one for one in values.T)]
        sums: FloatMatrix = np.stack(
            [np.bincount(place, weights=one, minlength=parts * width) for one in columns], axis=1
        )
        return sums.reshape(parts, width, len(columns))

    def _means(self, sums: FloatMatrix) -> FloatMatrix:
        """Return smoothed means of sums (K + 1, 1 + t), the overall mean last: (K + 1, t)."""
        total = sums.sum(axis=0)
        overall = total[1:] / max(float(total[0]), np.finfo(np.float64).tiny)
        known = sums[:-1]
        means: FloatMatrix = (known[:, 1:] + self.alpha * overall) / (known[:, :1] + self.alpha)
        return np.vstack([means, overall])

    def _scaled(self, means: FloatMatrix, by: FloatMatrix, rows: IndexVector) -> FloatMatrix:
        """Centre and scale as the means ``by`` of levels are on ``rows``."""
        if not self.is_scaled:
            return means
        center, spread = by[-1], by[self.levels.codes[rows]].std(axis=0)
        spread = np.where(spread > 1e-12 * np.maximum(np.abs(center), 1.0), spread, 1.0)
        scaled: FloatMatrix = (means - center) / spread
        return scaled


def names_of(name: str, width: int) -> tuple[str, ...]:
    """Return the names of ``width`` target means of one thing."""
    if width == 1:
        return (f"{name}:target",)
    return tuple(f"{name}:target[{number}]" for number in range(width))


def to_float32(matrix: FloatMatrix) -> Features:
    """Return means as features; what float32 cannot hold is its largest number."""
    return np.clip(matrix, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
