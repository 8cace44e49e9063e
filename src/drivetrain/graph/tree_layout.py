"""How the nodes of trees are asked so that ONNX Runtime walks them fast.

It lays the right ("false") child of a node beside it and the left one anywhere. Where most rows go
right, the path of a row lies in few cache lines: a quarter less time for one row. So the nodes at
which most rows go left are turned: ``x <= t`` to the left becomes ``-x <= u`` to the right; the
operator is slower where its nodes ask in different ways, so it is the features that are negated.

It is slower, too, where some node sends a missing number left: each step then asks whether its
number is missing (docs/lab-log.md). So numbers stand in place of missing ones, which go the same
way at every node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from drivetrain.core.arrays import FloatVector, IndexVector, Mask
from drivetrain.graph.block import GraphBuilder, Wire

Children = npt.NDArray[np.int32]  # >= 0 a node, < 0 the leaf ~child
MOST_COPIED = 4  # features that may be copied for each that is asked
LARGEST = float(np.finfo(np.float32).max)  # that a feature may be, as the encoders make them


class Nodes(Protocol):
    """The nodes of a ``Trees`` block."""

    @property
    def feature(self) -> Children: ...
    @property
    def threshold(self) -> FloatVector: ...
    @property
    def left(self) -> Children: ...
    @property
    def right(self) -> Children: ...
    @property
    def missing_left(self) -> Mask: ...
    @property
    def roots(self) -> Children: ...
    @property
    def leaf(self) -> FloatVector: ...
    @property
    def leaf_rows(self) -> FloatVector | None: ...


@dataclass(frozen=True)
class Layout:
    """The questions of nodes anew, and the features that they are asked of.

    Attributes
    ----------
    feature, threshold, is_turned
        Of each node; the children of a turned one change places.
    columns, signs, fill
        Of each feature now asked: which it was, 1 or -1, and what stands in place of NaN.
    """

    feature: Children
    threshold: FloatVector
    is_turned: Mask
    columns: IndexVector
    signs: FloatVector
    fill: FloatVector


def lay_out(nodes: Nodes, goes_left: Mask) -> Layout:
    """Turn nodes, and find numbers in place of missing ones.

    A feature of which some nodes send NaN left and others right has one number that does so where
    all thresholds of the former are above those of the latter; else it is there twice.
    """
    is_turned = goes_left & np.isfinite(nodes.threshold)
    # "all numbers, but not NaN": a feature is never infinite
    asked = np.where(is_turned, turned(nodes.threshold), np.minimum(nodes.threshold, LARGEST))
    missing_left = nodes.missing_left ^ is_turned
    signed = 2 * nodes.feature.astype(np.int64) + is_turned
    least_left = np.full(int(signed.max(initial=0)) + 1, np.inf)
    most_right = np.full(len(least_left), -np.inf)
    np.minimum.at(least_left, signed[missing_left], asked[missing_left])
    np.maximum.at(most_right, signed[~missing_left], asked[~missing_left])
    is_twice = most_right >= least_left
    goes_right = is_twice[signed] & ~missing_left
    key, place = np.unique(2 * signed + goes_right, return_inverse=True)
    fill = np.where(is_twice[key // 2], np.where(key % 2, np.inf, -np.inf), least_left[key // 2])
    return Layout(
        feature=place.reshape(-1).astype(np.int32),
        threshold=asked,
        is_turned=is_turned,
        columns=key // 4,
        signs=np.where(key // 2 % 2, -1.0, 1.0),
        fill=fill,
    )


def lower_asked(
    graph: GraphBuilder, features: Wire, found: Layout, precision: str
) -> tuple[Wire, Children]:
    """Add the nodes from features [N, k] to those that are asked; return also each node's place."""
    number = np.float64 if precision == "double" else np.float32
    width = graph.width(features)
    wire = graph.cast(features, TensorProto.DOUBLE) if precision == "double" else features
    if width is not None and _are_beside(found, width):
        wire = graph.node("Concat", [wire, graph.node("Neg", [wire])], axis=1)
        places = found.columns + width * (found.signs < 0)
        fill = np.zeros(2 * width)
        fill[places] = found.fill
    else:
        wire = graph.node("Gather", [wire, graph.constant(found.columns, np.int64)], axis=1)
        places, fill = np.arange(len(found.columns)), found.fill
        if np.any(found.signs < 0):
            wire = graph.node("Mul", [wire, graph.constant(found.signs, number)])
    filled = graph.constant(fill, number)
    wire = graph.node("Where", [graph.node("IsNaN", [wire]), filled, wire])
    return wire, places[found.feature].astype(np.int32)


def _are_beside(found: Layout, width: int) -> bool:
    """Tell whether all features, and beside them all of them negated, are what is asked.

    They are copied in one piece; those asked only, number by number, 22 ns each.
    """
    keys = 2 * found.columns + (found.signs < 0)
    return len(np.unique(keys)) == len(keys) and 2 * width <= MOST_COPIED * len(keys)


def steps_of(nodes: Nodes) -> float:
    """Return how many nodes a row meets on its way through all trees, in the mean."""
    if not len(nodes.feature):
        return 0.0
    rows = np.ones(len(nodes.leaf)) if nodes.leaf_rows is None else nodes.leaf_rows
    went_left, went_right = rows_each_way(nodes.left, nodes.right, nodes.roots, rows)
    total = max(float(rows.sum()) / len(nodes.roots), 1e-9)
    return float((went_left + went_right).sum()) / total


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
