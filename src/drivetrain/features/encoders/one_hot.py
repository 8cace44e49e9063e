"""Categories as one feature each, 1 where the row has it.

The ``limit`` most frequent categories get a feature. Missing is a category of its own if training
had it. Every other category, unseen or rare, is all zeros.
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

    limit: Annotated[int, msgspec.Meta(ge=1, description="most features made")] = 30
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest rows of a category")] = 2


class OneHotEncoder:
    """One category-like column as one feature for each frequent category, at least one."""

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
        options = settings.build(Parameters, parameters, source="encoder 'one_hot'")
        (column,) = about
        texts = read_texts(columns, about)
        levels = find_levels(texts.cells, limit=options.limit, min_count=options.min_count)
        width = max(levels.count, 1)  # a matrix of no features is no matrix to models
        table = np.eye(levels.count, width, dtype=np.float32)
        names = tuple(f"{column.name}={levels.label(level)}" for level in range(levels.count))
        lookup = Lookup(texts.wire, "features", levels.keys, table, np.zeros(width, np.float32))
        return FittedEncoder((*texts.blocks, lookup), names or (f"{column.name}=(none)",))


encoder = OneHotEncoder()
