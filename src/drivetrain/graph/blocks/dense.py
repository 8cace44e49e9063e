"""A multilayer perceptron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import Features, FloatVector
from drivetrain.graph.block import GraphBuilder, Wire

if TYPE_CHECKING:
    from drivetrain.graph.blocks.members import Members

Activation = Literal["selu", "mish", "relu"]


@dataclass(frozen=True)
class Dense:
    """Pass features through dense layers in float32: FLOAT [N, k] to DOUBLE [N, t].

    The features are squashed smoothly, ``x / sqrt(1 + (x / bound)^2)``. Where ``frequency`` has
    columns, the numbers also pass through ``cos(x @ frequency + phase) @ mix`` and stand beside
    what came of it (periodic embeddings: Gorishniy et al., NeurIPS 2022). Between the layers is
    the activation; the last layer's output is scaled, shifted and clipped in double.

    Attributes
    ----------
    bound
        Where squashing sets in; a feature of this size is cut by 30 %.
    frequency, phase, mix
        float32 (k, e), (e,), (e, m); zero columns leave the embedding out.
    weights, biases
        float32 (ki, ki+1) and (ki+1,) of each layer; the first takes k + m numbers.
    scale, shift, low, high
        float64 (t,): ``clip(output * scale + shift, low, high)``.
    """

    bound: float
    frequency: Features
    phase: Features
    mix: Features
    weights: tuple[Features, ...]
    biases: tuple[Features, ...]
    activation: Activation
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

    def lower(self, graph: GraphBuilder) -> None:
        hidden = self._embed(graph, squash(graph, self.input, self.bound))
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            product = graph.node("MatMul", [hidden, graph.constant(weight, np.float32)])
            hidden = graph.node("Add", [product, graph.constant(bias, np.float32)])
            if number < last:
                hidden = _activate(graph, hidden, self.activation)
        to_unit(graph, hidden, self)

    def _embed(self, graph: GraphBuilder, features: Wire) -> Wire:
        if not self.frequency.shape[1]:
            return features
        angle = graph.node("MatMul", [features, graph.constant(self.frequency, np.float32)])
        angle = graph.node("Add", [angle, graph.constant(self.phase, np.float32)])
        return beside(graph, features, graph.node("Cos", [angle]), self.mix)


def squash(graph: GraphBuilder, features: Wire, bound: float) -> Wire:
    """Add the nodes of ``x / sqrt(1 + (x / bound)^2)``."""
    part = graph.node("Mul", [features, graph.constant(1.0 / bound, np.float32)])
    square = graph.node("Mul", [part, part])
    root = graph.node("Sqrt", [graph.node("Add", [square, graph.constant(1.0, np.float32)])])
    return graph.node("Div", [features, root])


def to_unit(graph: GraphBuilder, answer: Wire, block: Dense | Members) -> None:
    """Add the nodes of the output: ``clip(answer * scale + shift, low, high)`` in double."""
    wide = graph.cast(answer, TensorProto.DOUBLE)
    wide = graph.node("Mul", [wide, graph.constant(block.scale, np.float64)])
    wide = graph.node("Add", [wide, graph.constant(block.shift, np.float64)])
    wide = graph.node("Max", [wide, graph.constant(block.low, np.float64)])
    graph.node("Min", [wide, graph.constant(block.high, np.float64)], to=block.output)


def beside(graph: GraphBuilder, features: Wire, embedded: Wire, mix: Features) -> Wire:
    """Add the nodes that put ``embedded @ mix`` beside the features."""
    mixed = graph.node("MatMul", [embedded, graph.constant(mix, np.float32)])
    return graph.node("Concat", [features, mixed], axis=1)


def _activate(graph: GraphBuilder, wire: Wire, activation: Activation) -> Wire:
    if activation == "selu":
        return graph.node("Selu", [wire])
    if activation == "relu":
        return graph.node("Relu", [wire])
    return graph.node("Mul", [wire, graph.node("Tanh", [graph.node("Softplus", [wire])])])
