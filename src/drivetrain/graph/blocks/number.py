"""A number column, scaled in double before it becomes float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import FloatVector
from drivetrain.graph.block import GraphBuilder, Wire

FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Number:
    """Scale a column in double, clip it, and cast: DOUBLE [N] to FLOAT [N, 1].

    ``(x - center) * scale``, so that wide numbers (seconds since 1970) keep their digits through
    the cast. The result is clipped to [low, high], ±inf too; NaN is kept, or becomes ``fill``.

    Attributes
    ----------
    low, high
        Bounds in the scaled unit, within the range of float32.
    fill
        What missing becomes, in the scaled unit; None keeps NaN.
    """

    column: Wire
    output: Wire
    center: float = 0.0
    scale: float = 1.0
    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX
    fill: float | None = None

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        value = scaled(graph, self.column, [self])
        graph.node("Unsqueeze", [value, graph.constant([1], np.int64)], to=self.output)


@dataclass(frozen=True)
class Vector:
    """Scale each item of a vector as :class:`Number` does: DOUBLE [N, k] to FLOAT [N, k]."""

    column: Wire
    output: Wire
    center: float = 0.0
    scale: float = 1.0
    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX
    fill: float | None = None

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        graph.node("Identity", [scaled(graph, self.column, [self])], to=self.output)


def scaled(graph: GraphBuilder, wire: Wire, blocks: Sequence[Number | Vector]) -> Wire:
    """Add the nodes from DOUBLE to finite-or-NaN FLOAT and return their wire.

    ``wire`` is one column or vector where there is one block, else [N, blocks]: a column for each.
    Max and Min keep NaN in ONNX Runtime; Clip does not promise it.
    """

    def each(field: str) -> FloatVector:
        values = np.array([getattr(block, field) for block in blocks], np.float64)
        is_one = np.all(values == values[0]) or np.all(np.isnan(values))
        return values[0] if is_one else values  # one number is applied without broadcasting

    if np.any((center := each("center")) != 0.0):
        wire = graph.node("Sub", [wire, graph.constant(center)])
    if np.any((scale := each("scale")) != 1.0):
        wire = graph.node("Mul", [wire, graph.constant(scale)])
    wire = graph.node("Max", [wire, graph.constant(each("low"))])
    wire = graph.node("Min", [wire, graph.constant(each("high"))])
    if not np.all(np.isnan(fill := each("fill"))):
        wire = graph.node("Where", [graph.node("IsNaN", [wire]), graph.constant(fill), wire])
    return graph.cast(wire, TensorProto.FLOAT)
