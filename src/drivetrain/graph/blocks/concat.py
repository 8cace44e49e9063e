"""Features side by side."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.graph.block import GraphBuilder, Wire


@dataclass(frozen=True)
class Concat:
    """Put features side by side: FLOAT [N, k_i] to FLOAT [N, sum of k_i]."""

    inputs_: tuple[Wire, ...]
    output: Wire

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return self.inputs_

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        graph.node("Concat", self.inputs_, to=self.output, axis=1)
