"""Texts as a few numbers: their words along the main directions of the training texts.

A truncated singular value decomposition (latent semantic analysis, Deerwester et al., JASIS 1990):
words that stand together are one direction, so that trees find in a few features what is spread
over thousands of sparse ones. The target is not looked at, and the graph holds one matrix product.
A text without a known word, missing and empty ones too, is all zeros. A column without any word
twice becomes its missing flag.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatMatrix, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.sparse_words import sparse_words
from drivetrain.features.vocabulary import find_vocabulary
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Vector

FIT_ROWS = 20_000  # texts that are enough to find the directions
SPARE, STEPS = 12, 8  # directions more than asked for, and rounds to find them


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    topics: Annotated[int, msgspec.Meta(ge=1, description="most features")] = 32
    limit: Annotated[int, msgspec.Meta(ge=1, description="most words kept")] = 3000
    pairs: Annotated[int, msgspec.Meta(ge=0, description="most pairs of words kept")] = 1000
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest texts that hold one")] = 2


class TextTopicsEncoder:
    """One text column as its place along the main directions of all texts."""

    kinds: tuple[Kind, ...] = ("text", "category")
    many = False

    def fit(
        self,
        columns: Columns,
        about: tuple[Column, ...],
        target: Target,
        weight: FloatVector | None,
        *,
        seed: int,
        **parameters: Any,
    ) -> FittedEncoder:
        options = settings.build(Parameters, parameters, source="encoder 'text_topics'")
        (column,) = about
        cells = columns[column.name]
        found = find_vocabulary(
            cells, limit=options.limit, pairs=options.pairs, min_count=options.min_count
        )
        if not found.words:
            flag = MissingFlag(column.name, "features", column.kind)
            return FittedEncoder((flag,), (f"{column.name} is missing",))
        if len(cells) > FIT_ROWS:
            cells = np.random.default_rng(seed).choice(cells, FIT_ROWS, replace=False)
        tfidf, places = f"{column.name}#words", f"{column.name}#topics"
        words = found.block(column.name, tfidf)
        directions = main_directions(sparse_words(words, cells), options.topics, seed)
        blocks = (
            words,
            Linear(directions, np.zeros(directions.shape[1]), input=tfidf, output=places),
            Vector(places, "features"),  # DOUBLE to FLOAT
        )
        names = (f"{column.name}:topic {number}" for number in range(directions.shape[1]))
        return FittedEncoder(blocks, tuple(names))


def main_directions(matrix: Any, most: int, seed: int) -> FloatMatrix:
    """Return the first right singular vectors of a sparse matrix (n, V), largest first: (V, d).

    Fewer than ``most`` where the matrix has no more; the largest weight of each is positive, so
    that the same texts give the same signs. By subspace iteration (Halko, Martinsson and Tropp,
    SIAM Review 2011): among directions of one size any turn is as good, and ARPACK's hangs on where
    its arrays lie in memory, so a replay would differ.
    """
    if min(matrix.shape) <= most + SPARE:
        _, sizes, rows = np.linalg.svd(matrix.toarray(), full_matrices=False)
    else:
        span = np.random.default_rng(seed).standard_normal((matrix.shape[1], most + SPARE))
        for _ in range(STEPS):
            span, _ = np.linalg.qr(matrix.T @ (matrix @ span))
        _, sizes, within = np.linalg.svd(matrix @ span, full_matrices=False)
        rows = within @ span.T
    order = np.argsort(-sizes)[:most]
    order = order[sizes[order] > 1e-9 * max(float(sizes.max()), 1e-300)]
    directions = rows[order] if len(order) else rows[:1]
    largest = directions[np.arange(len(directions)), np.argmax(np.abs(directions), axis=1)]
    return np.ascontiguousarray((directions * np.where(largest < 0.0, -1.0, 1.0)[:, None]).T)


encoder = TextTopicsEncoder()
