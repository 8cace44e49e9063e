"""Where a difference comes from: the feature, the column, the part of the graph to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from drivetrain.core.arrays import MISSING_TIME, Array, Columns, Features, FloatVector
from drivetrain.graph.block import Block, Wire
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.program import Member, encoder_columns
from drivetrain.graph.run import open_session, run_blocks

CHUNK_ROWS = 8_192
VOTERS = 50  # rows that are asked; more of them say the same


def feature_columns(member: Member, columns: Columns) -> list[str]:
    """Return the columns behind each feature of a member's ``X``, joined by ``, ``."""
    one = {name: array[:1] for name, array in columns.items()}
    names: list[str] = []
    for blocks in member.encoders:
        width = run_blocks(blocks, one, ["features"])["features"].shape[1]
        names += [", ".join(encoder_columns(blocks))] * width
    return names


def suspect_feature(blocks: Sequence[Block], X: Features, difference: FloatVector) -> int:
    """Return the feature that most likely explains a difference of margins, (m,), over rows.

    Trees: the feature that lies nearest to the threshold of a node on the rows' paths, or is NaN
    there, by vote of the rows that differ most. Linear: the feature that moves with the
    difference. Otherwise the feature furthest from its median in the worst row.
    """
    block, worst = blocks[0], np.argsort(-np.abs(difference))
    if isinstance(block, Trees) and len(block.feature):
        voters = worst[: min(VOTERS, int(np.count_nonzero(difference)))]
        return Counter(_nearest_split(block, row) for row in X[voters]).most_common(1)[0][0]
    wide = X.astype(np.float64)
    with np.errstate(all="ignore"):
        if isinstance(block, Linear):
            off = np.nan_to_num(difference) - np.nan_to_num(difference).mean()
            centred = wide - wide.mean(axis=0)
            size = np.abs(off @ centred) / np.sqrt(np.sum(centred**2, axis=0))
            return int(np.argmax(np.nan_to_num(size)))
        size = np.abs(wide[worst[0]] - np.nanmedian(wide, axis=0))
    return int(np.argmax(np.where(np.isnan(size), np.inf, size)))


def _nearest_split(trees: Trees, row: Features) -> int:
    nodes = _path_nodes(trees, row)
    if not len(nodes):
        return 0
    value, threshold = row[trees.feature[nodes]], trees.threshold[nodes].astype(np.float32)
    with np.errstate(all="ignore"):
        steps = np.abs(value - threshold) / np.spacing(np.abs(threshold))
    steps = np.where(np.isnan(value), 1.0, steps)  # as suspicious as one float32 beside it
    return int(trees.feature[nodes[np.argmin(steps)]])


def _path_nodes(trees: Trees, row: Features) -> npt.NDArray[np.int32]:
    """Return the nodes that a row passes, over all trees."""
    passed = []
    level = trees.roots[trees.roots >= 0]
    while len(level):
        passed.append(level)
        value = row[trees.feature[level]]
        is_left = np.where(
            np.isnan(value), trees.missing_left[level], value <= trees.threshold[level]
        )
        level = np.where(is_left, trees.left[level], trees.right[level])
        level = level[level >= 0]
    return np.concatenate([*passed, trees.roots[:0]])


def extreme_column(columns: Columns, ordinary: Columns, row: int) -> str:
    """Return the column whose cell in ``row`` is least like those of the ordinary rows."""
    oddness = {
        name: _oddness(array[row], ordinary[name], array.dtype.kind)
        for name, array in columns.items()
    }
    return max(oddness, key=lambda name: oddness[name])


def _oddness(cell: object, ordinary: Array, kind: str) -> float:
    if kind == "O":
        return 1e3 if not np.any(ordinary == cell) else float(cell == "")
    values = np.atleast_1d(np.asarray(cell, np.float64))
    if np.any(np.isnan(values)) or cell == MISSING_TIME:
        return 1e3
    seen = ordinary.astype(np.float64).ravel()
    seen = seen[np.isfinite(seen)]
    middle, low, high = np.percentile(seen, [50, 5, 95]) if len(seen) else (0.0, 0.0, 1.0)
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(values - middle)) / max(high - low, 1e-9))


def read_wires(model: bytes, wires: Sequence[Wire], columns: Columns) -> dict[Wire, Array]:
    """Run a graph for some of its inner wires; those that it does not have are left out."""
    proto = onnx.load_model_from_string(model)
    made = {wire for node in proto.graph.node for wire in node.output}
    present = [wire for wire in dict.fromkeys(wires) if wire in made]
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=wire) for wire in present)
    return run_model(open_session(proto.SerializeToString()), columns) if present else {}


def run_model(session: onnxruntime.InferenceSession, columns: Columns) -> dict[str, Array]:
    """Run a graph on typed columns, some rows at a time, and return its outputs by name."""
    names = [info.name for info in session.get_inputs()]
    outputs = [info.name for info in session.get_outputs()]
    rows = len(next(iter(columns.values())))
    chunks = [
        session.run(None, {name: columns[name][start : start + CHUNK_ROWS] for name in names})
        for start in range(0, rows, CHUNK_ROWS)
    ]
    return {
        name: np.concatenate([chunk[number] for chunk in chunks])
        for number, name in enumerate(outputs)
    }
