"""An opaque ONNX model of someone else's, inlined."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.foreign import inline


@dataclass(frozen=True)
class Foreign:
    """Run a foreign ONNX model as a part of the graph.

    Attributes
    ----------
    model
        The serialised ModelProto: built-in operator domains only, no external data.
    inputs_
        Pairs (wire, name of the model's input).
    outputs_
        Pairs (name of the model's output, wire); outputs not named are left out.
    """

    model: bytes
    inputs_: tuple[tuple[Wire, str], ...]
    outputs_: tuple[tuple[str, Wire], ...]

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return tuple(wire for wire, _ in self.inputs_)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return tuple(wire for _, wire in self.outputs_)

    def lower(self, graph: GraphBuilder) -> None:
        inline(graph, self.model, self.inputs_, self.outputs_)
