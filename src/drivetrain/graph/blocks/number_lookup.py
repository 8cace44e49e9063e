"""A table from exact numbers to numbers: target means of values that repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import numpy_helper

from drivetrain.core.arrays import Features, FloatVector
from drivetrain.graph.block import ML, GraphBuilder, Wire


@dataclass(frozen=True)
class NumberLookup:
    """Look a number up: DOUBLE [N] to FLOAT [N, d].

    Two nodes, where a lookup by the number's text needs nine. 0 and -0 are one key, NaN may be a
    key; a number that is no key gets ``default``.

    Attributes
    ----------
    keys
        K different numbers, float64 (K,).
    values
        float32 (K, d), a row for each key.
    default
        float32 (d,).
    """

    column: Wire
    output: Wire
    keys: FloatVector
    values: Features
    default: Features

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        default = np.asarray(self.default, np.float32).reshape(1, -1)
        values = np.asarray(self.values, np.float32).reshape(-1, default.shape[1])
        keys = np.asarray(self.keys, np.float64)
        if not len(keys):  # an empty LabelEncoder is refused by ONNX Runtime
            keys, values = np.zeros(1), default
        row = graph.node(
            "LabelEncoder",
            [self.column],
            domain=ML,
            keys_tensor=numpy_helper.from_array(keys, "keys"),
            values_tensor=numpy_helper.from_array(np.arange(len(keys), dtype=np.int64), "rows"),
            default_tensor=numpy_helper.from_array(np.array([len(keys)], np.int64), "default"),
        )
        table = graph.constant(np.vstack([values, default]))
        graph.node("Gather", [table, row], to=self.output, axis=0)
