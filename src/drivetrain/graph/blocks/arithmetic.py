"""Two numbers as one: their difference, ratio or product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from onnx import TensorProto

from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.blocks.number import FLOAT32_MAX

Operation = Literal["difference", "ratio", "product"]
_OPERATORS = {"difference": "Sub", "ratio": "Div", "product": "Mul"}


@dataclass(frozen=True)
class Arithmetic:
    """Combine two numbers of a row in double, then cast: to FLOAT [N, 1].

    ``left`` and ``right`` are [N] or [N, 1], DOUBLE or FLOAT. Missing stays missing, a ratio to 0
    is missing too, and what float32 cannot hold is its largest number.
    """

    left: Wire
    right: Wire
    output: Wire
    operation: Operation

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.left, self.right)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        left, right = (_column(graph, wire) for wire in (self.left, self.right))
        value = graph.node(_OPERATORS[self.operation], [left, right])
        if self.operation == "ratio":
            is_zero = graph.node("Equal", [right, graph.constant(0.0, np.float64)])
            value = graph.node("Where", [is_zero, graph.constant(np.nan, np.float64), value])
        value = graph.node("Max", [value, graph.constant(-FLOAT32_MAX, np.float64)])
        value = graph.node("Min", [value, graph.constant(FLOAT32_MAX, np.float64)])
        graph.cast(value, TensorProto.FLOAT, to=self.output)


def _column(graph: GraphBuilder, wire: Wire) -> Wire:
    wide = graph.cast(wire, TensorProto.DOUBLE)
    return graph.node("Reshape", [wide, graph.constant([-1, 1], np.int64)])
