"""What the leaves of a forest hold, where each leaf holds several numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import FloatMatrix
from drivetrain.graph.block import GraphBuilder, Wire


@dataclass(frozen=True)
class Leaves:
    """Sum the leaves that a row reached: DOUBLE [N, trees] to DOUBLE [N, t].

    The ``Trees`` before it tell the number of the leaf reached in each tree, as its value, each
    tree a target of its own. A forest of K classes is thereby walked once, not K times.

    Attributes
    ----------
    values
        What each leaf holds, float64 (leaves, t).

    Examples
    --------
    >>> Leaves(values=np.array([[0.5, 0.0], [0.0, 0.5]])).inputs
    ('leaves',)
    """

    values: FloatMatrix
    input: Wire = "leaves"
    output: Wire = "margin"

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        number = graph.cast(self.input, TensorProto.INT64)
        table = graph.constant(self.values, np.float64)
        reached = graph.node("Gather", [table, number], axis=0)
        trees = graph.constant([1], np.int64)
        graph.node("ReduceSum", [reached, trees], to=self.output, keepdims=0)
