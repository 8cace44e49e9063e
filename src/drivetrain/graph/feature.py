"""What the features of an encoder are, where they can be made together with those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from drivetrain.core.contract import Column
from drivetrain.graph.archive import content
from drivetrain.graph.block import Block, Wire
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.join import Join, NumberText
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number


@dataclass(frozen=True)
class Whole:
    """A number column as the text of its whole number."""

    column: Wire


@dataclass(frozen=True)
class Joined:
    """Texts joined to one."""

    parts: tuple[Wire | Whole, ...]


Text = Wire | Whole | Joined  # a wire is a column


@dataclass(frozen=True)
class Found:
    """What a Lookup finds for a text; two are equal when text and lookup are."""

    text: Text
    digest: bytes
    lookup: Lookup = field(compare=False)

    @property
    def width(self) -> int:
        """Number of features."""
        return int(np.size(self.lookup.default))


Feature = Number | MissingFlag | Found  # blocks with an empty ``output``


def features_of(blocks: Sequence[Block], columns: Sequence[Column]) -> tuple[Feature, ...] | None:
    """Say what an encoder's features are, in order; None where it has blocks of other kinds."""
    numbers = {column.name for column in columns if column.kind in ("number", "boolean")}
    texts: dict[Wire, Text] = {
        column.name: column.name for column in columns if column.kind in ("category", "text")
    }
    found: dict[Wire, tuple[Feature, ...]] = {}
    for block in blocks:
        feature: tuple[Feature, ...] = ()
        text: Text | None = None
        match block:
            case Number(column=column) if column in numbers:
                feature = (replace(block, output=""),)
            case MissingFlag(column=column) if column in numbers or texts.get(column) == column:
                feature = (replace(block, output=""),)
            case Lookup(column=column) if column in texts:
                alike = replace(block, column="", output="")
                feature = (Found(texts[column], content([alike]), alike),)
            case Concat() if all(wire in found for wire in block.inputs):
                feature = tuple(one for wire in block.inputs for one in found[wire])
            case NumberText(column=column) if column in numbers:
                text = Whole(column)
            case Join() if text := _joined([texts.get(wire) for wire in block.inputs]):
                pass
            case _:
                return None
        (output,) = block.outputs  # from here on it hides a column of its name
        numbers.discard(output)
        texts.pop(output, None)
        found[output] = feature
        if text is not None:
            texts[output] = text
    return found.get("features") or None


def _joined(texts: Sequence[Text | None]) -> Joined | None:
    """Join columns and whole numbers; None where one is something else."""
    parts = tuple(text for text in texts if isinstance(text, (str, Whole)))
    return Joined(parts) if len(parts) == len(texts) else None
