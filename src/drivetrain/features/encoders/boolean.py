"""Booleans: 0 or 1.

Missing is NaN with ``fill=False``; with ``fill=True`` it is the share of true in training, and a
flag beside it if training had missing cells.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.flagged import with_missing_flag
from drivetrain.graph.blocks.number import Number


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    fill: Annotated[
        bool, msgspec.Meta(description="fill missing with the share of true, and flag it")
    ] = False


class BooleanEncoder:
    """One boolean column as one feature, and a missing flag where it is filled."""

    kinds: tuple[Kind, ...] = ("boolean",)
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
        options = settings.build(Parameters, parameters, source="encoder 'boolean'")
        (column,) = about
        values = columns[column.name]
        seen = values[~np.isnan(values)]
        if not options.fill:
            return FittedEncoder((Number(column.name, "features"),), (column.name,))
        share = float(seen.mean()) if len(seen) else 0.5
        block = Number(column.name, "features", fill=share)
        return with_missing_flag([block], column, has_missing=len(seen) < len(values))


encoder = BooleanEncoder()
