"""Several columns as one matrix, for a foreign model that takes one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.graph.block import GraphBuilder, Wire


@dataclass(frozen=True)
class Pack:
    """Put columns side by side: [N] or [N, k] each, of one type, to [N, width].

    Attributes
    ----------
    widths
        Columns of each input: 0 for a tensor of rank 1, k for a matrix.
    """

    columns: tuple[Wire, ...]
    widths: tuple[int, ...]
    output: Wire

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return self.columns

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        if any(self.widths):
            parts = [
                column if width else graph.node("Reshape", [column, _shape(graph, -1, 1)])
                for column, width in zip(self.columns, self.widths, strict=True)
            ]
            graph.node("Concat", parts, to=self.output, axis=1)
            return
        # three nodes for any number of columns; a Reshape for each costs more than a microsecond
        flat = graph.node("Concat", list(self.columns), axis=0)
        table = graph.node("Reshape", [flat, _shape(graph, len(self.columns), -1)])
        graph.node("Transpose", [table], to=self.output, perm=[1, 0])


def _shape(graph: GraphBuilder, *dims: int) -> Wire:
    return graph.constant(list(dims), np.int64)
