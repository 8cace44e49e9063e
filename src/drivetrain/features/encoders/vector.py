"""Vectors: each item as a feature.

With ``scale=False`` missing items are NaN and ±inf is ± the largest float32. With ``scale=True``
all items are centred and scaled by one median and spread, missing is 0 and ±inf is ±10.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.encoders.number import CLIP, spread
from drivetrain.graph.blocks.number import Vector


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    scale: Annotated[bool, msgspec.Meta(description="centre and scale, fill missing with 0")] = (
        False
    )


class VectorEncoder:
    """One vector column of k items as k features."""

    kinds: tuple[Kind, ...] = ("vector",)
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
        options = settings.build(Parameters, parameters, source="encoder 'vector'")
        (column,) = about
        values = columns[column.name]
        names = tuple(f"{column.name}[{item}]" for item in range(values.shape[1]))
        if not options.scale:
            return FittedEncoder((Vector(column.name, "features"),), names)
        finite = values[np.isfinite(values)]
        center = float(np.median(finite)) if len(finite) else 0.0
        block = Vector(
            column.name, "features", center, 1.0 / spread(finite), low=-CLIP, high=CLIP, fill=0.0
        )
        return FittedEncoder((block,), names)


encoder = VectorEncoder()
