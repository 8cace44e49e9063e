"""Ensembles of decision trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, numpy_helper

from drivetrain.core.arrays import FloatVector, Mask
from drivetrain.graph.block import ML, GraphBuilder, Wire
from drivetrain.graph.tree_layout import lay_out, lower_asked, mostly_left, steps_of

# ONNX Runtime loads one node in time quadratic in its trees (benchmarks/graph/cost.py).
CHUNK_TREES = 250
MANY_STEPS = 600.0  # nodes that a row meets; fewer do not earn back what lays them out
BRANCH_LEQ, SUM, NO_TRANSFORM = 0, 1, 0


@dataclass(frozen=True)
class Trees:
    """Sum the leaves of trees: FLOAT [N, k] to DOUBLE [N, targets].

    At a node, ``X[feature] <= threshold`` goes left, NaN goes left where ``missing_left``; X holds
    no infinite number, which no encoder makes. A child
    >= 0 is a node, a child < 0 is the leaf ``~child``; a root may be a leaf. Every node belongs to
    one tree.

    Attributes
    ----------
    feature, threshold, left, right, missing_left
        The nodes of all trees, shape (nodes,). Thresholds are float32 numbers (or +inf): the
        largest float32 <= the library's own, so that ``<=`` is the same question in float32.
    roots, target
        Root and target of each tree, shape (trees,).
    leaf
        Values of the leaves, shape (leaves,).
    targets
        t, >= 1.
    base
        Added to the sum, shape (targets,): after it in double, before it in float.
    precision
        What the library sums in: double (LightGBM, CatBoost, scikit-learn) or float (XGBoost).
    leaf_rows
        Training rows, or their weight, in each leaf, shape (leaves,); None where they are not
        known. They change no answer: the lowered trees are laid out for them.
    """

    feature: npt.NDArray[np.int32]
    threshold: FloatVector
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    missing_left: Mask
    roots: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    leaf: FloatVector
    targets: int
    base: FloatVector
    precision: Literal["double", "float"] = "double"
    input: Wire = "X"
    output: Wire = "margin"
    leaf_rows: FloatVector | None = None

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.input,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    @property
    def tree_count(self) -> int:
        """Number of trees."""
        return len(self.roots)

    @property
    def leaf_count(self) -> int:
        """Number of leaves."""
        return len(self.leaf)

    def lower(self, graph: GraphBuilder) -> None:
        is_double = self.precision == "double"
        parts = []
        # An ensemble without trees is its base, which the operator needs as trees.
        trees = self if is_double and self.tree_count else _base_as_first_trees(self)
        has_base = trees is self and bool(np.any(self.base != 0.0))
        is_cut = trees.tree_count > CHUNK_TREES and bool(len(trees.feature))
        if is_cut and is_double and self.targets == 1:
            trees = _alike_together(trees)
        if steps_of(trees) >= MANY_STEPS:
            trees, features = _laid_out(graph, trees)
        else:
            features = graph.cast(self.input, TensorProto.DOUBLE) if is_double else self.input
        for start in range(0, trees.tree_count, CHUNK_TREES):
            chunk = trees.some(slice(start, start + CHUNK_TREES))
            parts.append(
                graph.node(
                    "TreeEnsemble",
                    [features],
                    domain=ML,
                    **attributes(chunk, self.targets),
                )
            )
        margin = parts[0] if len(parts) == 1 else graph.node("Sum", parts)
        if not is_double:
            graph.cast(margin, TensorProto.DOUBLE, to=self.output)
        elif has_base:
            base = graph.constant(self.base, np.float64)
            graph.node("Add", [margin, base], to=self.output)
        else:
            graph.node("Identity", [margin], to=self.output)

    def some(self, which: slice) -> Trees:
        """Return the block of some of the trees, its nodes and leaves numbered anew."""
        nodes, leaves = _reached(self, self.roots[which])
        node_number = np.full(len(self.feature), -1, np.int32)
        node_number[nodes] = np.arange(len(nodes), dtype=np.int32)
        leaf_number = np.full(len(self.leaf), -1, np.int32)
        leaf_number[leaves] = np.arange(len(leaves), dtype=np.int32)

        def renumber(child: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
            is_leaf = child < 0
            new = np.empty_like(child)
            new[~is_leaf] = node_number[child[~is_leaf]]
            new[is_leaf] = ~leaf_number[~child[is_leaf]]
            return new

        return Trees(
            feature=self.feature[nodes],
            threshold=self.threshold[nodes],
            left=renumber(self.left[nodes]),
            right=renumber(self.right[nodes]),
            missing_left=self.missing_left[nodes],
            roots=renumber(self.roots[which]),
            target=self.target[which],
            leaf=self.leaf[leaves],
            targets=self.targets,
            base=self.base,
            precision=self.precision,
            input=self.input,
            output=self.output,
            leaf_rows=None if self.leaf_rows is None else self.leaf_rows[leaves],
        )

    @classmethod
    def average(cls, blocks: Sequence[Trees]) -> Trees:
        """Return the one block whose margin is the mean of the blocks' margins.

        Leaves are divided by the number of blocks, so the sum differs from the mean of the sums
        in its last digits.
        """
        return joined(blocks, 1.0 / len(blocks))


def joined(blocks: Sequence[Trees], scale: float) -> Trees:
    """Return one block that sums the blocks' sums, times ``scale``."""
    first = blocks[0]
    nodes = np.cumsum([0, *(len(block.feature) for block in blocks)])
    leaves = np.cumsum([0, *(len(block.leaf) for block in blocks)])

    def children(name: str) -> npt.NDArray[np.int32]:
        moved = []
        for number, block in enumerate(blocks):
            child = getattr(block, name)
            moved.append(np.where(child < 0, child - leaves[number], child + nodes[number]))
        return np.concatenate(moved).astype(np.int32)

    def put(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(block, name) for block in blocks])

    return Trees(
        feature=put("feature"),
        threshold=put("threshold"),
        left=children("left"),
        right=children("right"),
        missing_left=put("missing_left"),
        roots=children("roots"),
        target=put("target"),
        leaf=put("leaf") * scale,
        targets=first.targets,
        base=np.sum([block.base for block in blocks], axis=0) * scale,
        precision=first.precision,
        input=first.input,
        output=first.output,
        leaf_rows=_put_rows([block.leaf_rows for block in blocks]),
    )


def _put_rows(rows: Sequence[FloatVector | None]) -> FloatVector | None:
    known = [each for each in rows if each is not None]
    return np.concatenate(known) if len(known) == len(rows) else None


def _alike_together(trees: Trees) -> Trees:
    """Put trees that ask the same first beside each other: the processor then foresees the answer.

    The sum changes in its last digits, as it does by being cut into chunks.
    """
    is_stump = trees.roots < 0
    first = np.where(is_stump, 0, trees.roots)
    order = np.lexsort((trees.threshold[first], trees.feature[first], is_stump))
    return replace(trees, roots=trees.roots[order], target=trees.target[order])


def _laid_out(graph: GraphBuilder, trees: Trees) -> tuple[Trees, Wire]:
    """Lay the nodes out for most rows, and return the wire of the features then asked."""
    rows = np.ones(trees.leaf_count) if trees.leaf_rows is None else trees.leaf_rows
    found = lay_out(trees, mostly_left(trees.left, trees.right, trees.roots, rows))
    wire, feature = lower_asked(graph, trees.input, found, trees.precision)
    laid_out = replace(
        trees,
        feature=feature,
        threshold=found.threshold,
        left=np.where(found.is_turned, trees.right, trees.left),
        right=np.where(found.is_turned, trees.left, trees.right),
        missing_left=np.zeros_like(trees.missing_left),
    )
    return laid_out, wire


def _base_as_first_trees(trees: Trees) -> Trees:
    """Put each base in front as a tree of one leaf: XGBoost starts its float32 sum from it."""
    empty = np.zeros(0, np.int32)
    count = trees.targets
    base = Trees(
        feature=empty,
        threshold=np.zeros(0),
        left=empty,
        right=empty,
        missing_left=np.zeros(0, np.bool_),
        roots=~np.arange(count, dtype=np.int32),
        target=np.arange(count, dtype=np.int32),
        leaf=np.asarray(trees.base, np.float64),
        targets=count,
        base=np.zeros(count),
        precision=trees.precision,
        input=trees.input,
        output=trees.output,
        leaf_rows=None if trees.leaf_rows is None else np.zeros(count),
    )
    return joined([base, trees], 1.0)


def _reached(
    trees: Trees, roots: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the nodes and leaves below ``roots``, each once, in increasing order."""
    nodes, leaves = [], []
    level = roots
    while len(level):
        leaves.append(~level[level < 0])
        inner = level[level >= 0]
        nodes.append(inner)
        level = np.concatenate([trees.left[inner], trees.right[inner]])
    return np.unique(np.concatenate([*nodes, roots[:0]])), np.unique(
        np.concatenate([*leaves, roots[:0]])
    )


def attributes(trees: Trees, targets: int) -> dict[str, Any]:
    """Return the attributes of an ai.onnx.ml 5 TreeEnsemble."""
    number = np.float64 if trees.precision == "double" else np.float32
    # The operator has no tree of one leaf: such a root becomes a node with the leaf on both sides.
    is_stump = trees.roots < 0
    stumps = trees.roots[is_stump]
    count = len(trees.feature)
    roots = trees.roots.astype(np.int64)
    roots[is_stump] = count + np.arange(len(stumps))
    left = np.concatenate([trees.left, stumps]).astype(np.int64)
    right = np.concatenate([trees.right, stumps]).astype(np.int64)
    extra = len(stumps)
    threshold = np.concatenate([trees.threshold, np.zeros(extra)]).astype(number)
    feature = np.concatenate([trees.feature, np.zeros(extra, np.int32)])
    missing_left = np.concatenate([trees.missing_left, np.zeros(extra, np.bool_)])
    return {
        "aggregate_function": SUM,
        "post_transform": NO_TRANSFORM,
        "n_targets": targets,
        "tree_roots": roots.tolist(),
        "nodes_featureids": feature.tolist(),
        "nodes_splits": numpy_helper.from_array(threshold, "splits"),
        "nodes_modes": numpy_helper.from_array(
            np.full(len(feature), BRANCH_LEQ, np.uint8), "modes"
        ),
        "nodes_missing_value_tracks_true": missing_left.astype(np.int64).tolist(),
        "nodes_truenodeids": np.where(left < 0, ~left, left).tolist(),
        "nodes_trueleafs": (left < 0).astype(np.int64).tolist(),
        "nodes_falsenodeids": np.where(right < 0, ~right, right).tolist(),
        "nodes_falseleafs": (right < 0).astype(np.int64).tolist(),
        "leaf_targetids": _leaf_targets(trees).tolist(),
        "leaf_weights": numpy_helper.from_array(trees.leaf.astype(number), "weights"),
    }


def _leaf_targets(trees: Trees) -> npt.NDArray[np.int64]:
    """Return the target of each leaf: that of its tree."""
    owner = np.zeros(len(trees.leaf), np.int64)
    level, target = trees.roots, trees.target.astype(np.int64)
    while len(level):
        is_leaf = level < 0
        owner[~level[is_leaf]] = target[is_leaf]
        inner, target = level[~is_leaf], target[~is_leaf]
        level = np.concatenate([trees.left[inner], trees.right[inner]])
        target = np.concatenate([target, target])
    return owner
