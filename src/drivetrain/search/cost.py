"""What fitted blocks cost to serve, guessed before they are lowered."""

from __future__ import annotations

from collections.abc import Iterable

from drivetrain.graph.block import Block
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.trees import Trees

# In batches, on one core of the machine of docs/lab-log.md, ONNX Runtime needs 17 to 26 ns for a
# row and a tree of 31 leaves and 37 ns for one of 64: large trees fall out of the nearest cache.
_LEAF_NS = 0.75
_MULTIPLY_NS = 0.5


def cost_ns(blocks: Iterable[Block]) -> float:
    """Guess the nanoseconds that one core needs for one row in a batch.

    A block of an unknown kind counts as nothing.
    """
    return sum(_cost_of(block) for block in blocks)


def _cost_of(block: Block) -> float:
    if isinstance(block, Trees):
        return len(block.leaf) * _LEAF_NS
    if isinstance(block, Linear):
        return float(block.weights.size) * _MULTIPLY_NS
    return 0.0
