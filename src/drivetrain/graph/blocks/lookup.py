"""A table from texts to numbers: category codes, one-hot, target encoding, crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import Features
from drivetrain.graph.block import ML, GraphBuilder, Wire


@dataclass(frozen=True)
class Lookup:
    """Look a text up: STRING [N] to FLOAT [N, d].

    The missing cell ``''`` is a key like any other; a text that is no key gets ``default``.

    Attributes
    ----------
    keys
        K different texts.
    values
        float32 (K, d), a row for each key; NaN is allowed.
    default
        float32 (d,).
    """

    column: Wire
    output: Wire
    keys: tuple[str, ...]
    values: Features
    default: Features

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        default = np.asarray(self.default, np.float32).reshape(-1)
        values = np.asarray(self.values, np.float32).reshape(len(self.keys), len(default))
        keys: tuple[str, ...] = self.keys
        if not keys:  # an empty LabelEncoder is refused by ONNX Runtime
            keys, values = ("",), default[None, :]
        if len(default) == 1:
            found = graph.node(
                "LabelEncoder",
                [self.column],
                domain=ML,
                keys_strings=list(keys),
                values_floats=values[:, 0].tolist(),
                default_float=float(default[0]),
            )
            graph.node("Unsqueeze", [found, graph.constant([1], np.int64)], to=self.output)
            return
        row = graph.node(
            "LabelEncoder",
            [self.column],
            domain=ML,
            keys_strings=list(keys),
            values_int64s=list(range(len(keys))),
            default_int64=len(keys),
        )
        table = graph.constant(np.vstack([values, default[None, :]]))
        graph.node("Gather", [table, row], to=self.output, axis=0)
