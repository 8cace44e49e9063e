"""From margins to probabilities, and weighted sums of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from drivetrain.graph.block import GraphBuilder, Wire


@dataclass(frozen=True)
class LinkBlock:
    """Apply a link in double: DOUBLE [N, t] to DOUBLE [N, t].

    The sigmoid is 1 / (1 + exp(-x)), right to 13 digits down to -700, where ONNX Runtime's own
    float32 Sigmoid is 0 from -20 on. The softmax takes the row's maximum off first.
    """

    input: Wire
    output: Wire
    link: Literal["identity", "sigmoid", "softmax"]

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        if self.link == "identity":
            graph.node("Identity", [self.input], to=self.output)
        elif self.link == "sigmoid":
            one = graph.constant(1.0, np.float64)
            power = exponential(graph, self.input, sign=-1)
            graph.node("Div", [one, graph.node("Add", [power, one])], to=self.output)
        else:
            axis = graph.constant([1], np.int64)
            highest = graph.node("ReduceMax", [self.input, axis], keepdims=1)
            power = exponential(graph, graph.node("Sub", [self.input, highest]))
            # ReduceSum's order depends on where the row lies in memory, CumSum's does not.
            sums = graph.node("CumSum", [power, graph.constant(1, np.int64)])
            total = graph.node("Gather", [sums, graph.constant([-1], np.int64)], axis=1)
            graph.node("Div", [power, total], to=self.output)


def exponential(graph: GraphBuilder, wire: Wire, *, sign: int = 1) -> Wire:
    """Add exp(x), or exp(-x), for a DOUBLE wire and return its wire.

    ONNX Runtime's Exp works on pairs of numbers and gives another last digit to the number that
    is left over, so a row alone and the row in a batch would differ. Pow goes number by number;
    the rounding of e costs a relative 5e-17 |x|.
    """
    return graph.node("Pow", [graph.constant(math.exp(sign), np.float64), wire])


@dataclass(frozen=True)
class WeightedSum:
    """Add wires with weights in double, left to right: DOUBLE [N, t] each, to DOUBLE [N, t]."""

    inputs_: tuple[Wire, ...]
    output: Wire
    weights: tuple[float, ...]

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return self.inputs_

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        total: Wire | None = None
        for wire, weight in zip(self.inputs_, self.weights, strict=True):
            part = wire
            if weight != 1.0:
                part = graph.node("Mul", [wire, graph.constant(weight, np.float64)])
            total = part if total is None else graph.node("Add", [total, part])
        graph.node("Identity", [total or ""], to=self.output)
