"""Inlining a foreign ONNX model: checked, brought to our operator sets, renamed, joined.

Refused, with an error that names the operator: operators that a stock ONNX Runtime has not built
in, external data, random numbers, maps and sequences, and the operators that ai.onnx.ml 5 dropped
where the graph is made for it (ONNX Runtime takes them in no model that also holds a TreeEnsemble).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, compose, inliner, version_converter

from drivetrain.core.errors import DataError
from drivetrain.graph.block import MICROSOFT, ML, OPSETS, GraphBuilder, Wire

DOMAINS = ("", "ai.onnx", ML, MICROSOFT)
RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
          "Multinomial", "Bernoulli")  # fmt: skip
DROPPED = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
NO_TENSORS = {
    "ZipMap": "Convert with options={'zipmap': False}.",
    "SequenceMap": "Convert to a model without sequences.",
}
NUMBERS = (
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64,
    TensorProto.INT32, TensorProto.INT16, TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL,
)  # fmt: skip


def inline(
    graph: GraphBuilder,
    model: bytes,
    inputs: Sequence[tuple[Wire, str]],
    outputs: Sequence[tuple[str, Wire]],
) -> None:
    """Add a foreign model's nodes to ``graph``.

    An input that the model declares as [N, 1] also takes a column, [N]; an input declared as a
    number is cast to its type.

    Parameters
    ----------
    inputs
        Pairs (wire, name of the model's input), all of its inputs.
    outputs
        Pairs (name of the model's output, wire).

    Raises
    ------
    DataError
        If the model cannot be a part of a bundle.
    """
    proto = checked_model(model, graph.opsets)
    prefix = graph.fresh("foreign") + "/"
    proto = compose.add_prefix(proto, prefix)
    constants = {tensor.name for tensor in proto.graph.initializer}
    declared = {info.name: info for info in proto.graph.input if info.name not in constants}
    given = {prefix + name: wire for wire, name in inputs}
    made = {prefix + name: wire for name, wire in outputs}
    _same_names("inputs", set(declared), set(given), prefix)
    known = {info.name for info in proto.graph.output}
    _same_names("outputs", known | set(made), known, prefix)
    for name, wire in given.items():
        _adapt(graph, wire, declared[name])
    graph.adopt(proto.graph.node, proto.graph.initializer)
    for name, wire in made.items():
        graph.node("Identity", [name], to=wire)


def _adapt(graph: GraphBuilder, wire: Wire, info: onnx.ValueInfoProto) -> None:
    declared = info.type.tensor_type
    if declared.elem_type in NUMBERS:
        wire = graph.cast(wire, declared.elem_type)
    dims = declared.shape.dim
    if len(dims) == 2 and dims[1].dim_value == 1:
        graph.node("Reshape", [wire, graph.constant([-1, 1], np.int64)], to=info.name)
    else:
        graph.node("Identity", [wire], to=info.name)


def parsed_model(model: bytes) -> onnx.ModelProto:
    """Parse a foreign model; DataError if its bytes are none."""
    try:
        return onnx.load_model_from_string(model)
    except DecodeError as error:
        raise _refused("a serialised ONNX model", str(error), "Export the model again.") from error


def checked_model(model: bytes, opsets: Mapping[str, int] = OPSETS) -> onnx.ModelProto:
    """Parse a foreign model, and bring it to operator sets at which it can be a part of a graph.

    Raises
    ------
    DataError
        If it cannot: it names the operator and the reason.
    """
    proto = parsed_model(model)
    if len(proto.functions):
        proto = inliner.inline_local_functions(proto)
    if len(proto.graph.sparse_initializer):
        raise _refused("dense constants", "a sparse one", "Export the model with dense constants.")
    for tensor in _tensors(proto.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise _refused(
                "a model in one piece",
                f"external data in tensor '{tensor.name}'",
                "Save the model with save_as_external_data=False.",
            )
    for node in nodes_of(proto.graph):
        _check_node(node, opsets)
    return _to_opsets(proto, opsets)


def ml_version(proto: onnx.ModelProto) -> int:
    """Return the version of ai.onnx.ml at which a graph must be made to hold all of a model."""
    if not any(node.op_type in DROPPED for node in nodes_of(proto.graph)):
        return OPSETS[ML]
    own = [opset.version for opset in proto.opset_import if opset.domain == ML]
    return min(4, max(3, int(max(own, default=3))))


def _check_node(node: onnx.NodeProto, opsets: Mapping[str, int]) -> None:
    name = f"operator {node.op_type} of domain '{node.domain or 'ai.onnx'}' (node '{node.name}')"
    if node.domain not in DOMAINS:
        raise _refused(
            "operators that a stock ONNX Runtime has built in",
            name,
            "Export the model with standard operators.",
        )
    if node.op_type in DROPPED and opsets[ML] >= 5:
        remedy = "Fit the trees with a family of drivetrain, which lowers them itself."
        raise _refused(f"operators of ai.onnx.ml {opsets[ML]}", name, remedy)
    if node.op_type in NO_TENSORS:
        raise _refused("tensors between all nodes", name, NO_TENSORS[node.op_type])
    if node.op_type in RANDOM:
        raise _refused("a model that repeats itself", name, "Export the model for inference.")


def _to_opsets(proto: onnx.ModelProto, opsets: Mapping[str, int]) -> onnx.ModelProto:
    versions = {
        "" if opset.domain == "ai.onnx" else opset.domain: opset.version
        for opset in proto.opset_import
    }
    if versions.get(ML, 0) > opsets[ML]:
        raise _refused(
            f"operator set {ML} up to {opsets[ML]}",
            f"{versions[ML]}",
            f"Export the model for {ML} {opsets[ML]}.",
        )
    old_labels = versions.get(ML, opsets[ML]) < 2
    if old_labels and any(node.op_type == "LabelEncoder" for node in nodes_of(proto.graph)):
        raise _refused(
            "LabelEncoder of ai.onnx.ml 2 or newer", "version 1", "Export for ai.onnx.ml 3."
        )
    if versions.get("", opsets[""]) == opsets[""]:
        return proto
    del proto.opset_import[:]  # some exporters list one set twice, which the converter refuses
    proto.opset_import.extend(onnx.helper.make_opsetid(*item) for item in versions.items())
    try:
        return version_converter.convert_version(proto, opsets[""])
    except Exception as error:  # the converter raises bare RuntimeErrors and its own
        raise _refused(
            f"a model that converts to operator set {opsets['']}",
            str(error)[:300],
            f"Export the model for operator set {opsets['']}.",
        ) from error


def nodes_of(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield all nodes, those of inner graphs too."""
    for node in graph.node:
        yield node
        for inner in _subgraphs(node):
            yield from nodes_of(inner)


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for inner in _subgraphs(node):
            yield from _tensors(inner)


def _same_names(what: str, expected: set[str], got: set[str], prefix: str) -> None:
    if expected != got:

        def shown(names: set[str]) -> str:
            return ", ".join(sorted(name.removeprefix(prefix) for name in names)) or "none"

        raise _refused(
            f"the {what} {shown(expected)}", shown(got), f"Name the model's {what} as it does."
        )


def _refused(expected: str, got: str, remedy: str) -> DataError:
    return DataError(
        where="foreign ONNX model", expected=expected, got=got, remedy=remedy, code="DT222"
    )
