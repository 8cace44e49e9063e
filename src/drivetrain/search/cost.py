"""What fitted blocks cost to serve, guessed before they are lowered."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2

from drivetrain.graph.block import Block
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.trees import Trees

# One tree of 32 leaves costs ONNX Runtime about 17 ns a row in batches, on one core of the machine
# of docs/lab-log.md; the time grows with the depth that a row walks.
_LEVEL_NS = 3.4
_MULTIPLY_NS = 0.5


def cost_ns(blocks: Iterable[Block]) -> float:
    """Guess the nanoseconds that one core needs for one row in a batch.

    A block of an unknown kind counts as nothing.
    """
    return sum(_cost_of(block) for block in blocks)


def _cost_of(block: Block) -> float:
    if isinstance(block, Trees):
        trees = len(block.roots)
        leaves = len(block.leaf) / max(trees, 1)
        return trees * _LEVEL_NS * log2(max(leaves, 2.0))
    if isinstance(block, Linear):
        return float(block.weights.size) * _MULTIPLY_NS
    return 0.0
