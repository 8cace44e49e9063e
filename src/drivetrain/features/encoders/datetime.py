"""Datetimes taken apart.

With ``cyclic=False``, for trees: plain parts, NaN where missing. With ``cyclic=True``, for linear
models: the time since training's middle in units of its spread, clipped to ±10, and places on the
circles of the year, the week and the day; missing is 0 in all of them, the circles' centre, and a
flag tells it if training had missing cells.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import MISSING_TIME, Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.encoders.number import CLIP, spread
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Vector
from drivetrain.graph.run import run_blocks

PLAIN = (
    "days_since_2000", "year", "month", "day", "weekday", "hour", "minute", "day_of_year",
)  # fmt: skip
CIRCLES = (
    "month_sin", "month_cos", "weekday_sin", "weekday_cos", "weekend", "hour_sin", "hour_cos",
)  # fmt: skip


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    cyclic: Annotated[
        bool, msgspec.Meta(description="places on circles instead of plain parts")
    ] = False


class DatetimeEncoder:
    """One datetime column as its parts."""

    kinds: tuple[Kind, ...] = ("datetime",)
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
        options = settings.build(Parameters, parameters, source="encoder 'datetime'")
        (column,) = about
        if not options.cyclic:
            block = DatetimeParts(column.name, "features", PLAIN)
            return FittedEncoder((block,), tuple(f"{column.name}:{part}" for part in PLAIN))
        return _fit_cyclic(columns, column)


def _fit_cyclic(columns: Columns, column: Column) -> FittedEncoder:
    name = column.name
    days, wide, trend, circles = (f"{name}#{part}" for part in ("days", "wide", "trend", "circles"))
    read_days = DatetimeParts(name, days, ("days_since_2000",))
    seen = run_blocks((read_days,), columns, [days])[days][:, 0].astype(np.float64)
    seen = seen[~np.isnan(seen)]
    center = float(np.median(seen)) if len(seen) else 0.0
    blocks: tuple[Block, ...] = (
        read_days,
        Linear(np.ones((1, 1)), np.zeros(1), input=days, output=wide),  # FLOAT to DOUBLE
        Vector(wide, trend, center, 1.0 / spread(seen), low=-CLIP, high=CLIP, fill=0.0),
        DatetimeParts(name, circles, CIRCLES, fill=0.0),
    )
    wires = [trend, circles]
    names = (f"{name}:trend", *(f"{name}:{part}" for part in CIRCLES))
    if (columns[name] == MISSING_TIME).any():
        flag = f"{name}#missing"
        blocks += (MissingFlag(name, flag, column.kind),)
        wires.append(flag)
        names += (f"{name} is missing",)
    return FittedEncoder((*blocks, Concat(tuple(wires), "features")), names)


encoder = DatetimeEncoder()
