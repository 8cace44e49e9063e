"""Many perceptrons that share their hidden layers, and the mean of what they predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from drivetrain.core.arrays import Array, Features, FloatVector
from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.blocks.dense import beside, squash, to_unit

Voice = Literal["identity", "sigmoid", "softmax"]  # from a member's output to its prediction


@dataclass(frozen=True)
class Members:
    """Pass features through k perceptrons at once in float32: FLOAT [N, f] to DOUBLE [N, t].

    The features are squashed like those of :class:`~drivetrain.graph.blocks.dense.Dense`; beside
    them stand ``clip(x @ slope + offset, 0, 1) @ mix`` (piecewise-linear embeddings: Gorishniy et
    al., NeurIPS 2022). Each member scales these numbers for itself, all share the hidden layers,
    and each has a last layer. The mean of their predictions is scaled, shifted and clipped in
    double. All members lie on the first axis, so that a hidden layer is one product.
    The last bits of a row's answer depend on whether it comes alone: the runtime sums the products
    of the last layers, and the members, in another order then.

    Attributes
    ----------
    bound
        Where squashing sets in.
    slope, offset, mix
        float32 (f, e), (e,), (e, m); zero columns leave the embedding out.
    member
        float32 (k, 1, f + m): each member's scale of each number.
    weights, biases
        float32 (wi, wi+1) and (wi+1,) of each hidden layer.
    head, head_bias
        float32 (k, w, t) and (k, 1, t).
    scale, shift, low, high
        float64 (t,): ``clip(mean * scale + shift, low, high)``.
    """

    bound: float
    slope: Features
    offset: Features
    mix: Features
    member: Array
    weights: tuple[Features, ...]
    biases: tuple[Features, ...]
    head: Array
    head_bias: Array
    voice: Voice
    scale: FloatVector
    shift: FloatVector
    low: FloatVector
    high: FloatVector
    input: Wire = "X"
    output: Wire = "margin"

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    @property
    def multiplications(self) -> int:
        """Multiplications for a row."""
        shared = sum(weight.size for weight in self.weights)
        return int(len(self.member) * shared + self.head.size + self.mix.size)

    def lower(self, graph: GraphBuilder) -> None:
        hidden = squash(graph, self.input, self.bound)
        if self.slope.shape[1]:
            hidden = beside(graph, hidden, self._pieces(graph, hidden), self.mix)
        hidden = graph.node("Mul", [hidden, graph.constant(self.member, np.float32)])
        for weight, bias in zip(self.weights, self.biases, strict=True):
            hidden = graph.node("Relu", [_layer(graph, hidden, weight, bias)])
        answers = _layer(graph, hidden, self.head, self.head_bias)
        if self.voice == "sigmoid":
            answers = graph.node("Sigmoid", [answers])
        elif self.voice == "softmax":
            answers = graph.node("Softmax", [answers], axis=-1)
        axes = graph.constant([0], np.int64)
        to_unit(graph, graph.node("ReduceMean", [answers, axes], keepdims=0), self)

    def _pieces(self, graph: GraphBuilder, features: Wire) -> Wire:
        along = _layer(graph, features, self.slope, self.offset)
        ends = [graph.constant(end, np.float32) for end in (0.0, 1.0)]
        return graph.node("Clip", [along, *ends])


def _layer(graph: GraphBuilder, wire: Wire, weight: Array, bias: Array) -> Wire:
    product = graph.node("MatMul", [wire, graph.constant(weight, np.float32)])
    return graph.node("Add", [product, graph.constant(bias, np.float32)])
