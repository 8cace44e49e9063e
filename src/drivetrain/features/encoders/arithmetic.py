"""Numbers two by two: the difference, the ratio or the product of each pair.

A tree splits one number at a time, so what two say only together (a price for each square metre)
takes it many splits. Missing is missing, and so is a ratio to 0.
"""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Literal

import msgspec

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.arithmetic import Arithmetic
from drivetrain.graph.blocks.concat import Concat

SIGNS = {"difference": "-", "ratio": "/", "product": "*"}


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    operation: Annotated[
        Literal["difference", "ratio", "product"],
        msgspec.Meta(description="what is made of each pair"),
    ] = "ratio"


class ArithmeticEncoder:
    """Two or more number columns as one feature for each pair, in the order given."""

    kinds: tuple[Kind, ...] = ("number",)
    many = True

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
        options = settings.build(Parameters, parameters, source="encoder 'arithmetic'")
        pairs = list(combinations((column.name for column in about), 2))
        sign = SIGNS[options.operation]
        names = tuple(f"{left} {sign} {right}" for left, right in pairs)
        if len(pairs) == 1:
            ((left, right),) = pairs
            return FittedEncoder((Arithmetic(left, right, "features", options.operation),), names)
        base = "+".join(column.name for column in about)  # longer than any column's name here
        wires = tuple(f"{base}#{number}" for number in range(len(pairs)))
        blocks: list[Block] = [
            Arithmetic(left, right, wire, options.operation)
            for (left, right), wire in zip(pairs, wires, strict=True)
        ]
        return FittedEncoder((*blocks, Concat(wires, "features")), names)


encoder = ArithmeticEncoder()
