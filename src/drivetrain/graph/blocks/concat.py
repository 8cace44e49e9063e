"""Features side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class Select:
    """Pick columns of a matrix, in the order given: [N, k] to [N, len(which)].

    For the one probability of a foreign binary model that answers with two.
    """

    input: Wire
    output: Wire
    which: tuple[int, ...]

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        which = graph.constant(list(self.which), np.int64)
        graph.node("Gather", [self.input, which], to=self.output, axis=1)
