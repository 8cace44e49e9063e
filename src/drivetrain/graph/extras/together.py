"""Whether cells that are each usual are so together: trees that tell rows from scrambled ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.graph.blocks.trees import Trees

ROWS = 20_000  # walked through the trees at once by numpy


@dataclass(frozen=True)
class Together:
    """A row is unlike the training data where its score is below ``least``.

    Attributes
    ----------
    trees
        One target: the logarithm of how much likelier the row is among those of training than
        among rows whose cells are drawn each from another row, but for a constant.
    least
        The score that so few rows like those of training are below as was asked.
    """

    trees: Trees
    least: float

    def scores(self, X: FloatMatrix) -> FloatVector:
        """Return the score of each row of features, (n,), by numpy."""
        parts = [self._walked(X[first : first + ROWS]) for first in range(0, len(X), ROWS)]
        return np.concatenate([np.zeros(0), *parts])

    def _walked(self, X: FloatMatrix) -> FloatVector:
        trees = self.trees
        at = np.broadcast_to(trees.roots, (len(X), trees.tree_count)).copy()
        row, tree = np.nonzero(at >= 0)
        while len(row):
            node = at[row, tree]
            cells = X[row, trees.feature[node]]
            goes_left = (cells <= trees.threshold[node]) | (
                np.isnan(cells) & trees.missing_left[node]
            )
            at[row, tree] = np.where(goes_left, trees.left[node], trees.right[node])
            inner = at[row, tree] >= 0
            row, tree = row[inner], tree[inner]
        return np.asarray(trees.leaf[~at].sum(axis=1) + trees.base[0])
