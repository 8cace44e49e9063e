"""Texts of several columns as one, for crosses."""

from __future__ import annotations

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
        separator = graph.constant([SEPARATOR])
        joined = self.columns[0]
        for column in self.columns[1:]:
            joined = graph.node("StringConcat", [joined, separator])
            joined = graph.node("StringConcat", [joined, column])
        graph.node("Identity", [joined], to=self.output)


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
        largest = graph.constant(LARGEST_WHOLE, np.float64)
        zero = graph.constant(0.0, np.float64)
        # Casting NaN or a number beyond int64 is undefined, so these become 0 first.
        is_small = graph.node("LessOrEqual", [graph.node("Abs", [self.column]), largest])
        number = graph.cast(graph.node("Where", [is_small, self.column, zero]), TensorProto.INT64)
        is_whole = graph.node("Equal", [graph.cast(number, TensorProto.DOUBLE), self.column])
        digits = graph.cast(number, TensorProto.STRING)
        text = graph.node("Where", [is_whole, digits, graph.constant([NOT_WHOLE])])
        missing = graph.node("IsNaN", [self.column])
        graph.node("Where", [missing, graph.constant([""]), text], to=self.output)
