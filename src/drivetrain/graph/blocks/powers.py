"""Calibration of probabilities by powers of them: temperature scaling and beta calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.graph.block import GraphBuilder, Wire

LEAST = 1e-12  # a probability of 0 has no odds


@dataclass(frozen=True)
class Powers:
    """Raise each class's probability to a power, weigh it, make them sum to 1: DOUBLE [N, t].

    ``q_k = w_k p_k^a_k / sum_j w_j p_j^a_j``. One power for all classes is temperature scaling
    (Guo et al., ICML 2017); for two classes a power for each is beta calibration (Kull et al.,
    AISTATS 2017). t is 1 for two classes, then class 1's probability in and out; else K.

    Attributes
    ----------
    power, factor
        float64 (K,), both > 0.
    """

    input: Wire
    output: Wire
    power: FloatVector
    factor: FloatVector

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def of(self, probability: FloatMatrix) -> FloatMatrix:
        """Return calibrated probabilities (n, t) by numpy.

        Examples
        --------
        >>> sharper = Powers("p", "q", np.array([2.0, 2.0]), np.array([1.0, 1.0]))
        >>> sharper.of(np.array([[0.5], [0.8]])).round(3).ravel().tolist()
        [0.5, 0.941]
        """
        single = probability.shape[1] == 1
        wide = np.hstack([1.0 - probability, probability]) if single else probability
        raised = np.maximum(wide, LEAST) ** self.power * self.factor
        shares: FloatMatrix = raised / raised.sum(axis=1, keepdims=True)
        return shares[:, 1:] if single else shares

    def lower(self, graph: GraphBuilder) -> None:
        if len(self.power) > 2:
            raised = self._raised(graph, self.input, slice(None))
            sums = graph.node("CumSum", [raised, graph.constant(1, np.int64)])
            total = graph.node("Gather", [sums, graph.constant([-1], np.int64)], axis=1)
            graph.node("Div", [raised, total], to=self.output)
            return
        rest = graph.node("Sub", [graph.constant(1.0, np.float64), self.input])
        first = self._raised(graph, rest, slice(0, 1))
        second = self._raised(graph, self.input, slice(1, 2))
        graph.node("Div", [second, graph.node("Add", [first, second])], to=self.output)

    def _raised(self, graph: GraphBuilder, wire: Wire, part: slice) -> Wire:
        wire = graph.node("Max", [wire, graph.constant(LEAST, np.float64)])
        wire = graph.node("Pow", [wire, graph.constant(self.power[part], np.float64)])
        return graph.node("Mul", [wire, graph.constant(self.factor[part], np.float64)])
