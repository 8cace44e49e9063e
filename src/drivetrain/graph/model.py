"""From nodes to the bytes of an ONNX model, the same bytes for the same nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

from drivetrain.graph.block import IR_VERSION, GraphBuilder, Wire

ROWS = "N"  # symbolic name of the first axis of every tensor


def tensor(
    name: Wire, dtype: int, width: int | str | None = None, *, note: str = ""
) -> onnx.ValueInfoProto:
    """Describe a tensor of N rows: [N], or [N, width]."""
    shape = (ROWS,) if width is None else (ROWS, width)
    return helper.make_tensor_value_info(name, dtype, shape, doc_string=note)


def make_model(
    graph: GraphBuilder,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    *,
    metadata: Mapping[str, str] | None = None,
    described: Sequence[onnx.ValueInfoProto] = (),
) -> bytes:
    """Serialise the collected nodes as a model.

    ``metadata`` is written sorted by key; ``described`` are inner wires that readers may look for.
    """
    made = helper.make_graph(
        graph.nodes,
        "drivetrain",
        list(inputs),
        list(outputs),
        initializer=list(graph.constants.values()),
        value_info=list(described),
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in graph.opsets.items()]
    model = helper.make_model(
        made, producer_name="drivetrain", opset_imports=opsets, ir_version=IR_VERSION
    )
    helper.set_model_props(model, dict(sorted((metadata or {}).items())))
    return bytes(model.SerializeToString(deterministic=True))
