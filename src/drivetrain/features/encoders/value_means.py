"""A number's exact value as the mean of the target, out of fold, smoothed toward the overall mean.

For numbers that repeat: 99999, 0, the standard working week say more than their size does. Missing
is a value like any other if training had it. A value not seen, or seen in fewer than ``min_count``
rows, or past ``limit``, is the overall mean.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.levels import Levels
from drivetrain.features.target_means import TargetMeans, names_of, to_float32
from drivetrain.graph.blocks.number_lookup import NumberLookup


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    alpha: Annotated[
        float, msgspec.Meta(gt=0, description="rows that the overall mean counts for")
    ] = 10.0
    limit: Annotated[int, msgspec.Meta(ge=1, description="most values kept")] = 10_000
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest rows of a value")] = 2


class ValueMeansEncoder:
    """One number column as one feature, or K for K > 2 classes."""

    kinds: tuple[Kind, ...] = ("number",)
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
        options = settings.build(Parameters, parameters, source="encoder 'value_means'")
        (column,) = about
        keys, levels = _find_values(columns[column.name], options)
        means = TargetMeans(levels, target, weight, options.alpha)
        narrow = to_float32(means.table())
        lookup = NumberLookup(column.name, "features", keys, narrow[:-1], narrow[-1])
        names = names_of(f"{column.name} by value", narrow.shape[1])
        return FittedEncoder((lookup,), names, lambda folds: to_float32(means.out_of_fold(folds)))


def _find_values(cells: FloatVector, options: Parameters) -> tuple[FloatVector, Levels]:
    """Return the kept values, most frequent first, and each row's place among them."""
    values, inverse, counts = np.unique(cells + 0.0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[: options.limit]
    order = order[counts[order] >= options.min_count]
    place = np.full(len(values), len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    levels = Levels(
        keys=tuple(repr(value) for value in values[order].tolist()),
        counts=counts[order].astype(np.float64),
        codes=place[inverse.reshape(-1)],
    )
    return values[order], levels


encoder = ValueMeansEncoder()
