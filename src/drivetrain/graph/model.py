"""From nodes to the bytes of an ONNX model, the same bytes for the same nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

from drivetrain.graph.block import IR_VERSION, OPSETS, GraphBuilder, Wire

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
) -> bytes:
    """Serialise the collected nodes as a checked model; ``metadata`` is written sorted by key."""
    made = helper.make_graph(
        graph.nodes,
        "drivetrain",
        list(inputs),
        list(outputs),
        initializer=list(graph.constants.values()),
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(
        made, producer_name="drivetrain", opset_imports=opsets, ir_version=IR_VERSION
    )
    helper.set_model_props(model, dict(sorted((metadata or {}).items())))
    return bytes(model.SerializeToString(deterministic=True))
