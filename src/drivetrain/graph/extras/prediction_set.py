"""The classes among which the true one is in a stated share of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import Columns, Features, FloatMatrix, Mask
from drivetrain.core.contract import Target
from drivetrain.core.manifest import PROBABILITIES, SET, Output
from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.head import Expected
from drivetrain.graph.tables import Table


@dataclass(frozen=True)
class PredictionSet:
    """``set``, BOOL [N, K]: the classes that are probable enough, and always the likeliest.

    Attributes
    ----------
    least
        float32 (K,): the probability from which a class is in the set.
    """

    least: Features

    def outputs(self, target: Target) -> tuple[Output, ...]:
        return (Output(name=SET, type="bool", shape=(-1, len(self.least))),)

    def of(self, probabilities: FloatMatrix) -> Mask:
        """Return which classes are in the set, bool (n, K), by numpy.

        Examples
        --------
        >>> two = PredictionSet(np.array([0.3, 0.3], np.float32))
        >>> two.of(np.array([[0.9, 0.1], [0.6, 0.4]])).tolist()
        [[True, False], [True, True]]
        """
        likeliest = probabilities.max(axis=1, keepdims=True)
        return np.asarray((probabilities >= self.least) | (probabilities == likeliest))

    def lower(self, graph: GraphBuilder, blend: Wire) -> Sequence[Table]:
        least = graph.constant(self.least, np.float32)
        is_probable = graph.node("GreaterOrEqual", [PROBABILITIES, least])
        highest = graph.node("ReduceMax", [PROBABILITIES, graph.constant([1], np.int64)])
        is_likeliest = graph.node("Equal", [PROBABILITIES, highest])
        graph.node("Or", [is_probable, is_likeliest], to=SET)
        return ()

    def expected(self, answers: FloatMatrix, columns: Columns) -> dict[str, Expected]:
        over = answers - self.least
        ordered = np.sort(answers, axis=1)
        highest, second = ordered[:, -1:], ordered[:, -2:-1]
        is_likeliest = answers == highest
        lead = np.where(is_likeliest, highest - second, highest - answers)
        # Two reasons to be in it: it leaves when both go, and joins when either comes.
        both = np.where(is_likeliest & (over >= 0), np.maximum(over, lead), np.abs(over))
        inside = np.where(is_likeliest & (over < 0), lead, both)
        outside = np.where(~is_likeliest & (over < 0), np.minimum(-over, lead), inside)
        return {SET: Expected(self.of(answers), outside)}
