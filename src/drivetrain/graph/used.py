"""The part of a member that its models read: features that no tree asks and no weight counts cost
a row nothing, for no node makes them.

Models differ in what they read, so a feature that many encoders share is left out or kept as it is,
never cut: what is cut for one member could not be shared with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import Features, IndexVector, Mask
from drivetrain.core.contract import Column
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.number_lookup import NumberLookup
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.feature import Found, features_of

Encoders = tuple[tuple[Block, ...], ...]
Folds = tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Kept:
    """Which features of a member are made: some of the first ``known``, and all behind them."""

    first: IndexVector
    known: int

    def of(self, X: Features) -> Features:
        """Return the kept features of a matrix, (m, k)."""
        if len(self.first) == self.known:
            return X
        return np.ascontiguousarray(X[:, self.places(X.shape[1])])

    def places(self, width: int) -> IndexVector:
        """Return the numbers of the kept ones of so many features."""
        places: IndexVector = np.r_[self.first, self.known : width]
        return places


@dataclass(frozen=True)
class Part:
    """What is left of a member, and of its features."""

    encoders: Encoders
    folds: Folds
    kept: Kept


def used_part(encoders: Encoders, folds: Folds, columns: Sequence[Column]) -> Part:
    """Return a member's encoders and folds without the features that none of its models reads.

    Its margins are the same. One feature stays in any case, for a matrix has columns; a member with
    models that may read everything (nets, foreign graphs) stays as it is.
    """
    read = _read(folds)
    kept: list[Mask] = []
    made: list[tuple[Block, ...]] = []
    known = 0
    for place, blocks in enumerate(encoders):
        wide = None if read is None else _wide(blocks, columns)
        if wide is None or read is None:
            made += encoders[place:]
            break
        counted = np.isin(np.arange(known, known + sum(wide)), read)
        known += sum(wide)
        if place == len(encoders) - 1 and not made and not counted.any():
            counted[0] = True
        of_feature = [bool(part.any()) for part in np.split(counted, np.cumsum(wide)[:-1])]
        kept.append(np.repeat(of_feature, wide))
        if any(of_feature):
            made.append(_some(blocks, of_feature))
    first = np.flatnonzero(np.concatenate(kept)) if kept else np.zeros(0, np.int64)
    found = Kept(first, known)
    if len(first) == known:
        return Part(encoders, folds, found)
    fewer = tuple(tuple(_renumbered(block, found) for block in fold) for fold in folds)
    return Part(tuple(made), fewer, found)


def _read(folds: Sequence[Sequence[Block]]) -> IndexVector | None:
    """Return the numbers of the features that models read; None where that may be all."""
    read: list[IndexVector] = []
    for block in (block for fold in folds for block in fold):
        match block:
            case Trees(input="X"):
                read.append(np.unique(block.feature).astype(np.int64))
            case Linear(input="X"):
                read.append(np.flatnonzero(np.any(block.weights != 0.0, axis=1)))
            case _:
                return None
    return np.unique(np.concatenate(read)) if read else None


def _wide(blocks: Sequence[Block], columns: Sequence[Column]) -> list[int] | None:
    """Return how wide each feature is that can be left out alone; None where it is not known."""
    features = features_of(blocks, columns)
    if features is not None:
        wide = [each.width if isinstance(each, Found) else 1 for each in features]
        last = blocks[-1]
        return wide if isinstance(last, Concat) and len(last.inputs) == len(wide) else [sum(wide)]
    match blocks[-1]:
        case NumberLookup(default=default):
            return [int(np.size(default))]
        case DatetimeParts(parts=parts):
            return [len(parts)]
    return None


def _some(blocks: tuple[Block, ...], is_kept: Sequence[bool]) -> tuple[Block, ...]:
    """Return the blocks that make some of the features that the last one puts side by side."""
    last = blocks[-1]
    if all(is_kept) or not isinstance(last, Concat):
        return blocks
    kept = tuple(wire for wire, kept in zip(last.inputs, is_kept, strict=True) if kept)
    needed, found = set(kept), [replace(last, inputs_=kept)]
    made: list[Block] = list(found)
    for block in reversed(blocks[:-1]):
        if needed.intersection(block.outputs):
            needed.update(block.inputs)
            made.append(block)
    return tuple(reversed(made))


def _renumbered(block: Block, kept: Kept) -> Block:
    """Return a model that reads the kept features by their new numbers."""
    if isinstance(block, Linear):
        return replace(block, weights=block.weights[kept.places(len(block.weights))])
    if isinstance(block, Trees):
        number = np.zeros(max(kept.known, 1), np.int32)
        number[kept.first] = np.arange(len(kept.first), dtype=np.int32)
        behind = block.feature - (kept.known - len(kept.first))
        is_known = block.feature < kept.known
        own = number[np.where(is_known, block.feature, 0)]
        return replace(block, feature=np.where(is_known, own, behind).astype(np.int32))
    return block
