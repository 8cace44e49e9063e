"""Texts of several columns as one, for crosses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.graph.block import GraphBuilder, Wire

SEPARATOR = "\x1f"  # ASCII unit separator: not found in ordinary categories
NOT_WHOLE = "?"  # no text of a whole number, so no key of a lookup
LARGEST_WHOLE = 2.0**53


@dataclass(frozen=True)
class Join:
    """Join texts by :data:`SEPARATOR`: STRING [N], twice or more, to STRING [N]."""

    columns: tuple[Wire, ...]
    output: Wire

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return self.columns

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        graph.node("Identity", [joined(graph, self.columns)], to=self.output)


@dataclass(frozen=True)
class NumberText:
    """Write whole numbers as canonical text: DOUBLE [N] to STRING [N].

    4.0 is ``4``, -0.0 is ``0``, missing is ``''``; what is not whole, or is beyond ±2^53, is
    :data:`NOT_WHOLE`.
    """

    column: Wire
    output: Wire

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        graph.node("Identity", [whole_texts(graph, self.column)], to=self.output)


def joined(graph: GraphBuilder, texts: Sequence[Wire]) -> Wire:
    """Add the nodes that join STRING wires of one shape and return their wire."""
    separator = graph.constant([SEPARATOR])
    wire = texts[0]
    for text in texts[1:]:
        wire = graph.node("StringConcat", [wire, separator])
        wire = graph.node("StringConcat", [wire, text])
    return wire


def whole_texts(graph: GraphBuilder, wire: Wire) -> Wire:
    """Add the nodes from a DOUBLE wire of any shape to canonical texts and return their wire."""
    largest = graph.constant(LARGEST_WHOLE, np.float64)
    zero = graph.constant(0.0, np.float64)
    # Casting NaN or a number beyond int64 is undefined, so these become 0 first.
    is_small = graph.node("LessOrEqual", [graph.node("Abs", [wire]), largest])
    number = graph.cast(graph.node("Where", [is_small, wire, zero]), TensorProto.INT64)
    is_whole = graph.node("Equal", [graph.cast(number, TensorProto.DOUBLE), wire])
    digits = graph.cast(number, TensorProto.STRING)
    text = graph.node("Where", [is_whole, digits, graph.constant([NOT_WHOLE])])
    return graph.node("Where", [graph.node("IsNaN", [wire]), graph.constant([""]), text])
