"""Categories as their rank by frequency, and on request the share of rows that have them.

The most frequent category is 0. Missing is a category of its own if training had it. Unseen (and a
category in fewer than ``min_count`` rows, or past ``limit``) is the rank after the last, share 0.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.levels import find_levels, read_texts
from drivetrain.graph.blocks.lookup import Lookup


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    share: Annotated[bool, msgspec.Meta(description="add the share of rows of a category")] = False
    limit: Annotated[int, msgspec.Meta(ge=1, description="most categories kept")] = 10_000
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest rows of a category")] = 2


class CategoryCodesEncoder:
    """One category-like column as its rank, and on request its share."""

    kinds: tuple[Kind, ...] = ("category", "boolean", "number")
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
        options = settings.build(Parameters, parameters, source="encoder 'category_codes'")
        (column,) = about
        texts = read_texts(columns, about)
        levels = find_levels(texts.cells, limit=options.limit, min_count=options.min_count)
        ranks = np.arange(levels.count + 1, dtype=np.float32)
        names: tuple[str, ...] = (f"{column.name}:rank",)
        table = ranks[:, None]
        if options.share:
            shares = np.append(levels.counts / max(len(texts.cells), 1), 0.0)
            table = np.column_stack([ranks, shares]).astype(np.float32)
            names += (f"{column.name}:share",)
        lookup = Lookup(texts.wire, "features", levels.keys, table[:-1], table[-1])
        return FittedEncoder((*texts.blocks, lookup), names)


encoder = CategoryCodesEncoder()
