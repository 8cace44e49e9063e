"""A filled feature with a flag beside it that tells where the fill is."""

from __future__ import annotations

from dataclasses import replace

from drivetrain.core.contract import Column
from drivetrain.features.encoder import FittedEncoder
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number


def with_missing_flag(block: Number, column: Column, *, has_missing: bool) -> FittedEncoder:
    """Return the encoder of ``block``, with a missing flag where training had missing cells.

    Without one in training a flag would be constant, and a model could not learn its meaning.
    """
    if not has_missing:
        return FittedEncoder((block,), (column.name,))
    value, flag = f"{column.name}#value", f"{column.name}#missing"
    blocks = (
        replace(block, output=value),
        MissingFlag(column.name, flag, column.kind),
        Concat((value, flag), "features"),
    )
    return FittedEncoder(blocks, (column.name, f"{column.name} is missing"))
