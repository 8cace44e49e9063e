"""A linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.graph.block import GraphBuilder, Wire


@dataclass(frozen=True)
class Linear:
    """Weigh features in double: FLOAT [N, k] to DOUBLE [N, t], ``X @ weights + bias``.

    Attributes
    ----------
    weights
        float64 (k, t).
    bias
        float64 (t,).
    """

    weights: FloatMatrix
    bias: FloatVector
    input: Wire = "X"
    output: Wire = "margin"

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        features = graph.cast(self.input, TensorProto.DOUBLE)
        weights = graph.constant(self.weights, np.float64)
        product = graph.node("MatMul", [features, weights])
        graph.node("Add", [product, graph.constant(self.bias, np.float64)], to=self.output)

    @classmethod
    def average(cls, blocks: Sequence[Linear]) -> Linear:
        """Return the one block whose margin is the mean of the blocks' margins."""
        return cls(
            weights=np.mean([block.weights for block in blocks], axis=0),
            bias=np.mean([block.bias for block in blocks], axis=0),
            input=blocks[0].input,
            output=blocks[0].output,
        )
