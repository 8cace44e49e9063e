"""Ranges of features as trees: all of them are one node of a graph, with whatever else is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.blocks.trees import Trees

OUTSIDE = -1e6  # far below any score of trees
FREE = (-np.inf, np.inf, False)


@dataclass
class Fenced:
    """Features side by side, DOUBLE [N, k], and the range of each.

    A range is its least and greatest number and whether a missing one is outside.
    """

    wires: list[Wire] = field(default_factory=list)
    ranges: list[tuple[float, float, bool]] = field(default_factory=list)

    def add(self, wire: Wire, ranges: Iterable[tuple[float, float, bool]]) -> None:
        """Add some features and their ranges."""
        self.wires.append(wire)
        self.ranges += ranges

    def whole(self, graph: GraphBuilder) -> Wire:
        """Return the wire of all of them."""
        if len(self.wires) == 1:
            return self.wires[0]
        return graph.node("Concat", self.wires, axis=1)

    def trees(self) -> Trees:
        """Return trees whose sum is 0 for a row within all ranges, and at most OUTSIDE else."""
        within, outside = ~0, ~1
        nodes: list[tuple[int, float, int, int, bool]] = []
        roots = []
        for feature, (low, high, is_whole) in enumerate(self.ranges):
            if low > -np.inf:
                roots.append(len(nodes))
                below = float(np.nextafter(low, -np.inf))
                nodes.append((feature, below, outside, len(nodes) + 1, is_whole))
                nodes.append((feature, high, within, outside, True))
            elif is_whole or high < np.inf:
                roots.append(len(nodes))
                nodes.append((feature, high, within, outside, not is_whole))
        if not nodes:  # the operator needs a tree
            nodes, roots = [(0, np.inf, within, within, True)], [0]
        features, thresholds, left, right, missing = zip(*nodes, strict=True)
        return Trees(
            feature=np.array(features, np.int32),
            threshold=np.array(thresholds),
            left=np.array(left, np.int32),
            right=np.array(right, np.int32),
            missing_left=np.array(missing, np.bool_),
            roots=np.array(roots, np.int32),
            target=np.zeros(len(roots), np.int32),
            leaf=np.array([0.0, OUTSIDE]),
            targets=1,
            base=np.zeros(1),
        )
