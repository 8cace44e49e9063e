"""Target encoding: a level becomes the smoothed mean of the target on its rows.

A row's own target may not reach its own feature, or a model learns to read it there. So training
rows get means over the rows that their fold fits on, while serving looks up means over all rows.
D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", 2001.
"""

from __future__ import annotations

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
    folds: Folds,
    options: Parameters,
) -> FittedEncoder:
    """Fit one target encoding of one column, or of several joined.

    Unseen levels get the mean of all targets; so does a fold that has no rows to fit on.
    """
    texts = read_texts(columns, about)
    levels = find_levels(texts.cells, limit=options.limit, min_count=options.min_count)
    name = " × ".join(column.name for column in about)
    table, out_of_fold = means_of(levels, target, weight, folds, options.alpha)
    names = names_of(name, table.shape[1])
    if options.scale:
        table, out_of_fold = _scaled(table, out_of_fold)
    if options.rank:
        table = np.column_stack([table, np.arange(levels.count + 1)])
        out_of_fold = np.column_stack([out_of_fold, levels.codes])
        names += (f"{name}:rank",)
    if options.count:
        table, out_of_fold = _with_counts(levels, table, out_of_fold)
        names += (f"{name}:count",)
    narrow = to_float32(table)
    lookup = Lookup(texts.wire, "features", levels.keys, narrow[:-1], narrow[-1])
    return FittedEncoder((*texts.blocks, lookup), names, to_float32(out_of_fold))


def _with_counts(
    levels: Levels, table: FloatMatrix, out_of_fold: FloatMatrix
) -> tuple[FloatMatrix, FloatMatrix]:
    """Add how often training has the level, a training row's own not counted: it is no evidence."""
    counts = np.append(levels.counts, 0.0)
    others = np.maximum(counts - 1.0, 0.0)
    return (
        np.column_stack([table, np.log1p(counts)]),
        np.column_stack([out_of_fold, np.log1p(others[levels.codes])]),
    )


def _scaled(table: FloatMatrix, out_of_fold: FloatMatrix) -> tuple[FloatMatrix, FloatMatrix]:
    """Take the overall mean off, and divide by the spread that the training rows see."""
    center = table[-1]
    spread = out_of_fold.std(axis=0)
    spread = np.where(spread > 1e-12 * np.maximum(np.abs(center), 1.0), spread, 1.0)
    return (table - center) / spread, (out_of_fold - center) / spread


def means_of(
    levels: Levels, target: Target, weight: FloatVector | None, folds: Folds, alpha: float
) -> tuple[FloatMatrix, FloatMatrix]:
    """Return the smoothed means of each level, the overall mean last, and the rows' out of fold.

    Shapes (K + 1, t) and (n, t).
    """
    values = target.one_hot()
    weights = np.ones(len(values)) if weight is None else weight
    everything = np.arange(len(values))
    table = _means(levels, values, weights, everything, alpha)
    out_of_fold = np.empty((len(values), table.shape[1]))
    for fold in folds.parts:
        rows = fold.fit if len(fold.fit) else everything
        part = _means(levels, values, weights, rows, alpha)
        codes = levels.codes[fold.judge]
        # With nothing to fit on, the mean of all targets: the same number for all of its rows.
        out_of_fold[fold.judge] = part[codes] if len(fold.fit) else part[-1]
    return table, out_of_fold


def _means(
    levels: Levels, values: FloatMatrix, weights: FloatVector, rows: IndexVector, alpha: float
) -> FloatMatrix:
    """Return smoothed means over ``rows`` for each level, the overall mean last: (K + 1, t)."""
    count = levels.count
    codes, weights = levels.codes[rows], weights[rows]
    weighted = values[rows] * weights[:, None]
    total = max(float(weights.sum()), np.finfo(np.float64).tiny)
    overall = weighted.sum(axis=0) / total
    mass = np.bincount(codes, weights=weights, minlength=count + 1)[:count]
    sums = np.stack(
        [np.bincount(codes, weights=part, minlength=count + 1)[:count] for part in weighted.T],
        axis=1,
    )
    means = (sums + alpha * overall) / (mass + alpha)[:, None]
    return np.vstack([means, overall])


def names_of(name: str, width: int) -> tuple[str, ...]:
    """Return the names of ``width`` target means of one thing."""
    if width == 1:
        return (f"{name}:target",)
    return tuple(f"{name}:target[{number}]" for number in range(width))


def to_float32(matrix: FloatMatrix) -> Features:
    """Return means as features; what float32 cannot hold is its largest number."""
    return np.clip(matrix, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
