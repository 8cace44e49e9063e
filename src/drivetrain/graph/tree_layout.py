"""Which way most rows go at the nodes of trees.

ONNX Runtime lays the right ("false") child of a node beside it and the left one anywhere. Where
most rows go right, the path of a row lies in few cache lines: a quarter less time for one row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from drivetrain.core.arrays import FloatVector, Mask

Children = npt.NDArray[np.int32]  # >= 0 a node, < 0 the leaf ~child


def mostly_left(left: Children, right: Children, roots: Children, leaf_rows: FloatVector) -> Mask:
    """Tell at which nodes more rows go left than right, by the rows that each leaf gets."""
    went_left, went_right = rows_each_way(left, right, roots, leaf_rows)
    return went_left > went_right


def rows_each_way(
    left: Children, right: Children, roots: Children, leaf_rows: FloatVector
) -> tuple[FloatVector, FloatVector]:
    """Count the rows that go left and right at each node, by the rows that each leaf gets."""
    levels = []
    level = roots[roots >= 0]
    while len(level):
        levels.append(level)
        level = np.concatenate([left[level], right[level]])
        level = level[level >= 0]
    node_rows = np.zeros(len(left))

    def rows(child: Children) -> FloatVector:
        is_leaf = child < 0
        found = np.empty(len(child))
        found[is_leaf] = leaf_rows[~child[is_leaf]]
        found[~is_leaf] = node_rows[child[~is_leaf]]
        return found

    for level in reversed(levels):
        node_rows[level] = rows(left[level]) + rows(right[level])
    return rows(left), rows(right)


def turned(threshold: FloatVector) -> FloatVector:
    """Return the thresholds u with ``-x <= u`` exactly where not ``x <= t``, for float32 x and t.

    There is none for +inf, which no x but NaN is above.
    """
    negative = -threshold.astype(np.float32)
    with np.errstate(over="ignore"):  # beyond the least float32 is -inf, and that is right
        return np.nextafter(negative, np.float32(-np.inf)).astype(np.float64)
