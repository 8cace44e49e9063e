"""A rising curve of straight pieces: undoes a transform of the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.graph.block import GraphBuilder, Wire


@dataclass(frozen=True)
class Ramps:
    """Read a curve at each number: DOUBLE [N, 1] to DOUBLE [N, 1].

    Straight between the knots, and straight on beyond the first and the last. The curve is a sum
    of ramps, one for each piece, so that nothing cancels and no order of rows matters.

    Attributes
    ----------
    knots, values
        float64 (K,), K >= 2, both rising: the curve is ``values[k]`` at ``knots[k]``.
    """

    input: Wire
    output: Wire
    knots: FloatVector
    values: FloatVector

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def at(self, x: FloatMatrix) -> FloatMatrix:
        """Return the curve at numbers (n, 1) by numpy.

        Examples
        --------
        >>> curve = Ramps("x", "y", np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 10.0]))
        >>> curve.at(np.array([[-1.0], [1.5], [3.0]])).ravel().tolist()
        [-1.0, 5.5, 19.0]
        """
        low, high, slope = self._pieces()
        risen = np.minimum(np.maximum(x - self.knots[:-1], low), high)
        return np.asarray(risen @ slope + self.values[0])

    def lower(self, graph: GraphBuilder) -> None:
        low, high, slope = self._pieces()
        along = graph.node("Sub", [self.input, graph.constant(self.knots[:-1], np.float64)])
        along = graph.node("Max", [along, graph.constant(low, np.float64)])
        along = graph.node("Min", [along, graph.constant(high, np.float64)])
        risen = graph.node("MatMul", [along, graph.constant(slope, np.float64)])
        graph.node("Add", [risen, graph.constant(self.values[:1], np.float64)], to=self.output)

    def _pieces(self) -> tuple[FloatVector, FloatVector, FloatMatrix]:
        """Return how far each piece may be walked down and up, and its slope (K - 1, 1)."""
        length = np.diff(self.knots)
        slope = (np.diff(self.values) / length)[:, None]
        low = np.zeros(len(length))
        low[0] = -np.finfo(np.float64).max
        high = length.copy()
        high[-1] = np.finfo(np.float64).max
        return low, high, slope
