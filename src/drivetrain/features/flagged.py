"""Filled features with a flag beside them that tells where the fill is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from drivetrain.core.contract import Column
from drivetrain.features.encoder import FittedEncoder
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number


def with_missing_flag(
    numbers: Sequence[Number], column: Column, *, names: Sequence[str] = (), has_missing: bool
) -> FittedEncoder:
    """Return the encoder of ``numbers``, with a missing flag where training had missing cells.

    Without one in training a flag would be constant, and a model could not learn its meaning.

    Parameters
    ----------
    names
        Of the features; by default there is one, of the column's name.
    """
    names = tuple(names) or (column.name,)
    if len(numbers) == 1 and not has_missing:
        return FittedEncoder(tuple(numbers), names)
    wires = [f"{column.name}#{place}" for place in range(len(numbers))]
    blocks: list[Block] = [
        replace(one, output=wire) for one, wire in zip(numbers, wires, strict=True)
    ]
    if has_missing:
        wires.append(f"{column.name}#missing")
        blocks.append(MissingFlag(column.name, wires[-1], column.kind))
        names = (*names, f"{column.name} is missing")
    return FittedEncoder((*blocks, Concat(tuple(wires), "features")), names)
