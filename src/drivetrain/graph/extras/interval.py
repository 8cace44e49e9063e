"""Two values between which the true one lies in a stated share of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import Columns, FloatMatrix, FloatVector
from drivetrain.core.contract import Target
from drivetrain.core.manifest import LOWER, UPPER, Output
from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.head import Expected
from drivetrain.graph.tables import Table


@dataclass(frozen=True)
class PredictionInterval:
    """``lower`` and ``upper``: so far below and above the prediction, by the prediction's level.

    How far is a curve of the prediction: straight between the knots, level beyond the first and
    the last. One knot gives the same width to every row.

    Attributes
    ----------
    knots
        float64 (K,), K >= 1, rising: predictions.
    below, above
        float64 (K,), >= 0: how far the interval reaches there.
    """

    knots: FloatVector
    below: FloatVector
    above: FloatVector

    def outputs(self, target: Target) -> tuple[Output, ...]:
        return tuple(Output(name=name, type="double", shape=(-1,)) for name in (LOWER, UPPER))

    def ends(self, prediction: FloatVector) -> tuple[FloatVector, FloatVector]:
        """Return the lower and the upper end, (n,) each, by numpy.

        Examples
        --------
        >>> wider = PredictionInterval(np.array([0.0, 10.0]), np.array([1.0, 3.0]), np.ones(2))
        >>> [end.tolist() for end in wider.ends(np.array([-5.0, 5.0, 20.0]))]
        [[-6.0, 3.0, 17.0], [-4.0, 6.0, 21.0]]
        """
        below, above = self.reach(prediction)
        return prediction - below, prediction + above

    def reach(self, prediction: FloatVector) -> tuple[FloatVector, FloatVector]:
        """Return how far the interval reaches below and above, (n,) each, by numpy."""
        below = np.interp(prediction, self.knots, self.below)
        return below, np.interp(prediction, self.knots, self.above)

    def lower(self, graph: GraphBuilder, blend: Wire) -> Sequence[Table]:
        reach = np.stack([-self.below, self.above], axis=1)
        ends = graph.constant(reach[:1], np.float64)
        if len(self.knots) > 1:
            ends = graph.node("Add", [self._risen(graph, blend, reach), ends])
        ends = graph.node("Add", [ends, blend])
        apart = graph.fresh(LOWER), graph.fresh(UPPER)
        graph.split(ends, apart)
        for wire, name in zip(apart, (LOWER, UPPER), strict=True):
            graph.node("Reshape", [wire, graph.constant([-1], np.int64)], to=name)
        return ()

    def _risen(self, graph: GraphBuilder, blend: Wire, reach: FloatMatrix) -> Wire:
        """Return how much further than at the first knot both ends reach, [N, 2]."""
        length = np.diff(self.knots)
        along = graph.node("Sub", [blend, graph.constant(self.knots[:-1], np.float64)])
        along = graph.node("Max", [along, graph.constant([0.0], np.float64)])
        along = graph.node("Min", [along, graph.constant(length, np.float64)])
        slopes = np.diff(reach, axis=0) / length[:, None]
        return graph.node("MatMul", [along, graph.constant(slopes, np.float64)])

    def expected(self, answers: FloatMatrix, columns: Columns) -> dict[str, Expected]:
        lower, upper = self.ends(answers[:, 0])
        return {LOWER: Expected(lower), UPPER: Expected(upper)}
