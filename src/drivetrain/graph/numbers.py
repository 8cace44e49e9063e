"""Many Number blocks as one table: one node for a step of all, where each would have its own.

For one row the cost of a graph is its number of nodes, about 1 to 2 microseconds each. The
numbers are the same bit for bit: each is scaled, clipped and cast by the same operators.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import FloatVector
from drivetrain.graph.block import Block, GraphBuilder, Names, Wire
from drivetrain.graph.blocks.number import Number

LEAST = 2  # fewer are not worth a table


def lower_numbers(
    graph: GraphBuilder, encoders: Iterable[Sequence[Block]], columns: Names
) -> dict[Number, Wire]:
    """Add the table of all Number blocks that read columns; return the wire of each, FLOAT [N, 1].

    The keys are the blocks with an empty ``output``, as :func:`without_numbers` asks for them.
    """
    found = {
        dataclasses.replace(block, output=""): None
        for blocks in encoders
        for block in blocks
        if isinstance(block, Number) and _is_free(block, blocks, columns)
    }
    numbers = list(found)
    if len(numbers) < LEAST:
        return {}
    flat = graph.node("Concat", [columns[number.column] for number in numbers], axis=0)
    rows = graph.constant([len(numbers), -1], np.int64)
    table = graph.node("Reshape", [flat, rows])  # [numbers, N]
    table = graph.node("Transpose", [_scaled(graph, table, numbers)], perm=[1, 0])
    names = [f"number:{number.column}" for number in numbers]
    wires = [graph.fresh(name) for name in names]
    graph.split(table, wires)
    return dict(zip(numbers, wires, strict=True))


def without_numbers(
    blocks: Sequence[Block], columns: Names, made: Mapping[Number, Wire]
) -> tuple[list[Block], Names]:
    """Return an encoder's other blocks, and the wires that they find: columns and table."""
    rest: list[Block] = []
    names = dict(columns)
    for block in blocks:
        wire = None
        if isinstance(block, Number) and _is_free(block, blocks, columns):
            wire = made.get(dataclasses.replace(block, output=""))
        if wire is None:
            rest.append(block)
        else:
            names[block.outputs[0]] = wire
    return rest, names


def _is_free(block: Number, blocks: Sequence[Block], columns: Names) -> bool:
    """Whether the block reads a column, and its output hides none from the other blocks."""
    others = [other for other in blocks if other is not block]
    written = {wire for other in others for wire in other.outputs}
    hides = block.output in columns and bool(others)
    return block.column in columns and block.column not in written and not hides


def _scaled(graph: GraphBuilder, table: Wire, numbers: Sequence[Number]) -> Wire:
    """Add the nodes of ``graph.blocks.number.scaled`` for a table, [numbers, N]."""

    def each(values: FloatVector) -> Wire:
        return graph.constant(values[:, None])

    center = np.array([number.center for number in numbers])
    scale = np.array([number.scale for number in numbers])
    if np.any(center != 0.0):
        table = graph.node("Sub", [table, each(center)])
    if np.any(scale != 1.0):
        table = graph.node("Mul", [table, each(scale)])
    low = each(np.array([number.low for number in numbers]))
    high = each(np.array([number.high for number in numbers]))
    table = graph.node("Where", [graph.node("Less", [table, low]), low, table])
    table = graph.node("Where", [graph.node("Greater", [table, high]), high, table])
    fill = np.array([np.nan if number.fill is None else number.fill for number in numbers])
    if not np.all(np.isnan(fill)):
        table = graph.node("Where", [graph.node("IsNaN", [table]), each(fill), table])
    return graph.cast(table, TensorProto.FLOAT)
