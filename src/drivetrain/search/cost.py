"""What fitted blocks cost to serve, guessed before they are lowered."""

from __future__ import annotations

import math
from collections.abc import Iterable

from drivetrain.graph.block import Block
from drivetrain.graph.blocks.dense import Dense
from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.members import Members
from drivetrain.graph.blocks.trees import Trees

# In batches, on one core of the machine of docs/lab-log.md, ONNX Runtime needs 17 to 26 ns for a
# row and a tree of 31 leaves, 37 ns for one of 64 and 42 ns for one of 255: a few for each level.
_LEVEL_NS = 4.2
_LEAF_NS = 0.05  # the more leaves, the less of the model is in a cache, and the larger its file
_MULTIPLY_NS = 0.5
_MULTIPLY_NS_FLOAT = 0.03  # of wide float32 layers in a batch


def cost_ns(blocks: Iterable[Block]) -> float:
    """Guess the nanoseconds that one core needs for one row in a batch.

    A block of an unknown kind counts as nothing.
    """
    return sum(_cost_of(block) for block in blocks)


def _cost_of(block: Block) -> float:
    if isinstance(block, Trees):
        trees = block.tree_count
        levels = math.log2(max(2.0, block.leaf_count / max(trees, 1)))
        return trees * _LEVEL_NS * levels + block.leaf_count * _LEAF_NS
    if isinstance(block, Dense):
        return sum(float(weight.size) for weight in block.weights) * _MULTIPLY_NS_FLOAT
    if isinstance(block, Members):
        return block.multiplications * _MULTIPLY_NS_FLOAT
    if isinstance(block, Linear):
        return float(block.weights.size) * _MULTIPLY_NS
    if isinstance(block, Foreign):  # mostly float32 weights, each multiplied once
        return len(block.model) / 4 * _MULTIPLY_NS_FLOAT
    return 0.0
