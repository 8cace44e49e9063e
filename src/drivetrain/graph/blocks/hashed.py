"""A table from the hashes of texts to numbers, for more texts than can be kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import Features
from drivetrain.graph.block import MICROSOFT, GraphBuilder, Wire


@dataclass(frozen=True)
class Hashed:
    """Look up the row that a text's hash falls on: STRING [N] to FLOAT [N, d].

    MurmurHash3 (32 bits, of the text's UTF-8 bytes) modulo B. ONNX Runtime's hash of the empty text
    is 0 with seed 0: the missing cell always falls on the first row.

    Attributes
    ----------
    values
        float32 (B, d).
    """

    column: Wire
    output: Wire
    values: Features

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        number = graph.node("MurmurHash3", [self.column], domain=MICROSOFT, positive=1, seed=0)
        wide = graph.cast(number, TensorProto.INT64)
        row = graph.node("Mod", [wide, graph.constant(len(self.values), np.int64)])
        table = graph.constant(np.asarray(self.values, np.float32))
        graph.node("Gather", [table, row], to=self.output, axis=0)
