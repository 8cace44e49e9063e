"""Read a LightGBM model text as a ``Trees`` block that routes every float32 row the same way.

The text is read, not ``dump_model``, which writes 1e300 where the model has +inf. LightGBM asks
``x <= t`` in double after it has made |x| <= 1e-35 zero; the thresholds are moved so that the
question is the same for every float32 x.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from drivetrain.core.arrays import FloatVector
from drivetrain.core.errors import InternalError
from drivetrain.graph.blocks.trees import Trees

# Bits of decision_type: 0 categorical, 1 default left, 2 and 3 the missing type.
CATEGORICAL, DEFAULT_LEFT = 1, 2
MISSING_NONE, MISSING_NAN = 0, 2
ZERO = np.float32(1e-35)  # LightGBM's kZeroThreshold
INFINITE = 1e300  # how LightGBM clips an infinite threshold in some of its writers


def floor_float32(threshold: FloatVector) -> npt.NDArray[np.float32]:
    """Return the largest float32 <= each double: then ``x <= t`` is the same for float32 x.

    Examples
    --------
    >>> bool(floor_float32(np.array([0.1]))[0] <= 0.1)
    True
    """
    with np.errstate(over="ignore"):
        nearest = threshold.astype(np.float32)
    above = nearest.astype(np.float64) > threshold
    nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
    return nearest


def lower_thresholds(threshold: FloatVector) -> FloatVector:
    """Return thresholds that route float32 rows as LightGBM routes them, as float32 in double."""
    lowered = floor_float32(threshold)
    # All x in the zero window act as 0: they go left together iff 0 <= t.
    lowered[(threshold >= 0) & (lowered < ZERO)] = ZERO
    below_window = np.nextafter(-ZERO, np.float32(-np.inf))
    lowered[(threshold < 0) & (lowered >= -ZERO)] = below_window
    lowered[threshold >= INFINITE] = np.float32(np.inf)
    return lowered.astype(np.float64)


def read_trees(text: str, *, base: float) -> Trees:
    """Convert ``Booster.model_to_string()``.

    Parameters
    ----------
    text
        The model's text; its trees are those that predict.
    base
        Added to every target's sum.

    Raises
    ------
    InternalError
        If the text has categorical splits, linear leaves or zero as missing, which the family
        never asks for.
    """
    header, *trees = text.split("\nTree=")
    per_iteration = int(_fields(header)["num_tree_per_iteration"])
    parts = [_read_tree(_fields(tree)) for tree in trees]
    nodes = np.cumsum([0, *(len(part["feature"]) for part in parts)])
    leaves = np.cumsum([0, *(len(part["leaf"]) for part in parts)])

    def joined(name: str) -> FloatVector:
        return np.concatenate([np.zeros(0), *(part[name] for part in parts)])

    def children(name: str) -> npt.NDArray[np.int32]:
        moved = [
            np.where(part[name] < 0, part[name] - leaves[tree], part[name] + nodes[tree])
            for tree, part in enumerate(parts)
        ]
        return np.concatenate([np.zeros(0), *moved]).astype(np.int32)

    is_stump = np.array([len(part["feature"]) == 0 for part in parts], np.bool_)
    roots = np.where(is_stump, ~leaves[:-1], nodes[:-1]).astype(np.int32)
    return Trees(
        feature=joined("feature").astype(np.int32),
        threshold=joined("threshold"),
        left=children("left"),
        right=children("right"),
        missing_left=joined("missing_left").astype(np.bool_),
        roots=roots,
        target=(np.arange(len(parts)) % per_iteration).astype(np.int32),
        leaf=joined("leaf"),
        targets=per_iteration,
        base=np.full(per_iteration, base),
        leaf_rows=joined("leaf_rows"),
    )


def _fields(part: str) -> dict[str, str]:
    return dict(_pairs(part))


def _pairs(part: str) -> Iterator[tuple[str, str]]:
    for line in part.splitlines():
        if line == "end of trees":  # parameters and importances follow
            return
        name, equals, value = line.partition("=")
        if equals:
            yield name, value


def _read_tree(fields: dict[str, str]) -> dict[str, FloatVector]:
    """Return one tree's arrays; numbers of nodes and flags are float64 until all are joined."""
    if fields.get("is_linear", "0") != "0" or fields.get("num_cat", "0") != "0":
        raise _unsupported("linear leaves or categorical splits")
    leaf = _numbers(fields["leaf_value"])
    rows = _numbers(fields.get("leaf_count", ""))  # a tree of one leaf may have none
    rows = rows if len(rows) == len(leaf) else np.zeros(len(leaf))
    if int(fields["num_leaves"]) == 1:
        empty = np.zeros(0)
        return {
            "feature": empty, "threshold": empty, "left": empty, "right": empty,
            "missing_left": empty, "leaf": leaf, "leaf_rows": rows,
        }  # fmt: skip
    threshold = _numbers(fields["threshold"])
    return {
        "feature": _numbers(fields["split_feature"]),
        "threshold": lower_thresholds(threshold),
        "left": _numbers(fields["left_child"]),
        "right": _numbers(fields["right_child"]),
        "missing_left": _missing_left(_numbers(fields["decision_type"]).astype(int), threshold),
        "leaf": leaf,
        "leaf_rows": rows,
    }


def _missing_left(decision: npt.NDArray[np.int_], threshold: FloatVector) -> FloatVector:
    """Return where NaN goes left: the learnt side, or 0's side where training had no NaN."""
    missing = decision >> 2
    if (decision & CATEGORICAL).any() or not np.isin(missing, (MISSING_NONE, MISSING_NAN)).all():
        raise _unsupported("zero as missing or categorical splits")
    default_left = (decision & DEFAULT_LEFT) != 0
    return np.where(missing == MISSING_NAN, default_left, threshold >= 0).astype(np.float64)


def _numbers(text: str) -> FloatVector:
    return np.array(text.split(), np.float64)


def _unsupported(what: str) -> InternalError:
    return InternalError(
        where="LightGBM model",
        expected="trees of numeric splits with constant leaves",
        got=what,
        remedy="Report this as a fault of drivetrain.",
        code="DT421",
    )
