"""Categories by their hash: the mean of the target, out of fold, and the share of rows.

For columns with more categories than can be kept: the graph holds no text, only a table of one row
for each bucket. Categories that fall on one bucket share its numbers, rare ones and unseen ones
too, so there is no unknown category. Missing is a text like any other.
K. Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, Features, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.core.folds import Folds
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.levels import Levels, read_texts
from drivetrain.features.target_means import TargetMeans, names_of, to_float32
from drivetrain.graph.blocks.hashed import Hashed
from drivetrain.graph.run import run_blocks


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    buckets: Annotated[int, msgspec.Meta(ge=1, le=2**20, description="rows of the table")] = 4096
    alpha: Annotated[
        float, msgspec.Meta(gt=0, description="rows that the overall mean counts for")
    ] = 10.0


class HashedEncoder:
    """One category-like column as the mean and the share of its bucket."""

    kinds: tuple[Kind, ...] = ("category", "boolean", "number", "text")
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
        options = settings.build(Parameters, parameters, source="encoder 'hashed'")
        (column,) = about
        texts = read_texts(columns, about)
        count = options.buckets
        numbers = Hashed("text", "row", np.arange(count, dtype=np.float32)[:, None])
        found = run_blocks((numbers,), {"text": texts.cells}, ["row"])["row"][:, 0]
        codes = found.astype(np.int64)
        rows = np.bincount(codes, minlength=count).astype(np.float64)
        levels = Levels(keys=("",) * count, counts=rows, codes=codes)
        means = TargetMeans(levels, target, weight, options.alpha)
        of_buckets = means.table()[:-1]
        shares = rows / max(len(codes), 1)
        table = to_float32(np.column_stack([of_buckets, shares]))
        names = (
            *names_of(f"{column.name} by hash", of_buckets.shape[1]),
            f"{column.name} by hash:share",
        )

        def out_of_fold(folds: Folds) -> Features:
            return to_float32(np.column_stack([means.out_of_fold(folds), shares[codes]]))

        lookup = Hashed(texts.wire, "features", table)
        return FittedEncoder((*texts.blocks, lookup), names, out_of_fold)


encoder = HashedEncoder()
