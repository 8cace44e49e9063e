"""Whether a cell is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.core.contract import Kind
from drivetrain.graph.block import GraphBuilder, Wire


@dataclass(frozen=True)
class MissingFlag:
    """Write 1 where the cell is missing, else 0: any column to FLOAT [N, 1].

    A vector is missing when all of its items are.
    """

    column: Wire
    output: Wire
    kind: Kind

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        axis = graph.constant([1], np.int64)
        if self.kind == "vector":
            flag = graph.cast(graph.node("IsNaN", [self.column]), TensorProto.FLOAT)
            graph.node("ReduceMin", [flag, axis], to=self.output, keepdims=1)
            return
        if self.kind in ("number", "boolean"):
            missing = graph.node("IsNaN", [self.column])
        elif self.kind == "datetime":
            missing = graph.node("Equal", [self.column, graph.constant(MISSING_TIME, np.int64)])
        else:
            missing = graph.node("Equal", [self.column, graph.constant([""])])
        flag = graph.cast(missing, TensorProto.FLOAT)
        graph.node("Unsqueeze", [flag, axis], to=self.output)
