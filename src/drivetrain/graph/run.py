"""Running blocks: what training sees comes from the operators that will serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.errors import InternalError
from drivetrain.graph.block import Block, GraphBuilder, Wire
from drivetrain.graph.model import make_model, tensor

CHUNK_ROWS = 16_384
PARTS = 64  # that are opened as one graph; optimising a large one takes longer for each node
DTYPES = {
    "float64": TensorProto.DOUBLE,
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "object": TensorProto.STRING,
}


def run_blocks(
    blocks: Iterable[Block],
    columns: Columns,
    outputs: Sequence[Wire],
    feeds: Mapping[Wire, Array] | None = None,
) -> dict[Wire, Array]:
    """Lower blocks, run them with ONNX Runtime on one thread, and return wires.

    Parameters
    ----------
    blocks
        In an order in which each wire is written before it is read.
    columns
        Typed columns of n rows; those that no block reads are left out.
    outputs
        Wires to return.
    feeds
        Other wires that the blocks read, such as ``X``: float32, float64, int64 or object arrays
        of n rows.

    Raises
    ------
    InternalError
        If a block reads a wire that neither a block, a column nor a feed writes, or ONNX Runtime
        refuses the graph.

    Examples
    --------
    >>> from drivetrain.graph.blocks.number import Number
    >>> run_blocks([Number("age", "x")], {"age": np.array([4.0])}, ["x"])["x"]
    array([[4.]], dtype=float32)
    """
    given = dict(columns) | dict(feeds or {})
    blocks = list(blocks)
    fed = _fed(blocks, given, outputs)
    found = _in_chunks(_session([blocks], fed, outputs), fed)
    return dict(zip(outputs, found, strict=True))


def run_apart(parts: Sequence[Sequence[Block]], columns: Columns, output: Wire) -> list[Array]:
    """Run parts that know nothing of each other, and return the wire of that name of each.

    What :func:`run_blocks` does for each, with one graph for many of them: opening a graph takes a
    millisecond, and a wide table has thousands of encoders.
    """
    found: list[Array] = []
    for start in range(0, len(parts), PARTS):
        some = [list(blocks) for blocks in parts[start : start + PARTS]]
        fed: dict[Wire, Array] = {}
        for blocks in some:
            fed |= _fed(blocks, columns, [output])
        found += _in_chunks(_session(some, fed, [output]), fed)
    return found


def _in_chunks(session: onnxruntime.InferenceSession, fed: Mapping[Wire, Array]) -> list[Array]:
    """Run all rows, some at a time, and return the outputs in the graph's order."""
    rows = len(next(iter(fed.values()))) if fed else 0
    chunks = []
    for start in range(0, max(rows, 1), CHUNK_ROWS):
        feed = {wire: array[start : start + CHUNK_ROWS] for wire, array in fed.items()}
        chunks.append(session.run(None, feed))
    return [np.concatenate(_of_one_width(list(chunk))) for chunk in zip(*chunks, strict=True)]


def _of_one_width(chunks: list[Array]) -> list[Array]:
    """Fill tables of words up with '': their width is the longest row's, so chunks differ."""
    if chunks[0].ndim < 2 or chunks[0].dtype != object:
        return chunks
    width = max(chunk.shape[1] for chunk in chunks)
    return [
        np.pad(chunk, ((0, 0), (0, width - chunk.shape[1])), constant_values="") for chunk in chunks
    ]


def size_of(blocks: Iterable[Block], features: int) -> int:
    """Return the bytes of the graph of a model's blocks, which read ``X`` and write ``margin``."""
    graph = GraphBuilder(reserved=frozenset({"X"}))
    names = graph.lower(list(blocks), {"X": "X"}, "blocks")
    shown = [onnx.ValueInfoProto(name=names["margin"])]
    return len(make_model(graph, [tensor("X", TensorProto.FLOAT, features)], shown))


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Open a model on one thread, as the runtime does: sums depend on the number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised; nothing else goes to stderr
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _fed(
    blocks: Sequence[Block], given: Mapping[Wire, Array], outputs: Sequence[Wire]
) -> dict[Wire, Array]:
    """Return the arrays that the blocks read or that are asked for, by wire."""
    fed: dict[Wire, Array] = {}
    written: set[Wire] = set()
    for block in blocks:
        for wire in block.inputs:
            if wire not in written:
                fed[wire] = _array(given, wire)
        written.update(block.outputs)
    for wire in outputs:
        if wire not in written:
            raise _unknown_wire(wire)
    return fed


def _array(given: Mapping[Wire, Array], wire: Wire) -> Array:
    if wire not in given:
        raise _unknown_wire(wire)
    array = np.asarray(given[wire])
    if array.dtype.kind == "U":
        return array.astype(object)
    return array


def _unknown_wire(wire: Wire) -> InternalError:
    return InternalError(
        where=f"blocks, wire '{wire}'",
        expected="a wire that a block, a column or a feed writes",
        got="none",
        remedy="Give the wire, or put its block before.",
        code="DT710",
    )


def _session(
    parts: Sequence[Sequence[Block]], fed: Mapping[Wire, Array], outputs: Sequence[Wire]
) -> onnxruntime.InferenceSession:
    """Open one graph of some parts, with these outputs of each."""
    graph = GraphBuilder(reserved=frozenset(fed))
    wires = {wire: wire for wire in fed}
    written = [graph.lower(blocks, wires, "blocks") for blocks in parts]
    inputs = [
        tensor(wire, DTYPES[array.dtype.name], None if array.ndim == 1 else array.shape[1])
        for wire, array in fed.items()
    ]
    shown = [
        onnx.ValueInfoProto(name=names[wire]) for names in written for wire in outputs
    ]  # ONNX Runtime infers the types
    try:
        return open_session(make_model(graph, inputs, shown))
    except Exception as error:  # its exceptions share no base class but Exception
        raise InternalError(
            where="blocks "
            + ", ".join(sorted({type(block).__name__ for blocks in parts for block in blocks})),
            expected="a graph that ONNX Runtime loads",
            got=str(error)[:500],
            remedy="Report this as a fault of drivetrain.",
            code="DT711",
        ) from error
