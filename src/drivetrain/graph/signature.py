"""What a foreign ONNX model takes and gives, read without running it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from drivetrain.core.errors import DataError
from drivetrain.graph.block import ML, OPSETS
from drivetrain.graph.foreign import checked_model, ml_version, nodes_of, parsed_model

STRING = "string"
TYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64", TensorProto.FLOAT16: "float16",
    TensorProto.INT64: "int64", TensorProto.INT32: "int32", TensorProto.INT16: "int16",
    TensorProto.INT8: "int8", TensorProto.UINT8: "uint8", TensorProto.BOOL: "bool",
    TensorProto.STRING: STRING,
}  # fmt: skip


@dataclass(frozen=True)
class ForeignTensor:
    """An input or output: its numpy type, or "string", and the items of a row.

    ``width`` is 0 for a tensor [N], k for [N, k], None where the model leaves k open.
    """

    name: str
    dtype: str
    width: int | None


@dataclass(frozen=True)
class Signature:
    """The face of a foreign model, and what it says of itself."""

    inputs: tuple[ForeignTensor, ...]
    outputs: tuple[ForeignTensor, ...]
    classes: tuple[str, ...]  # of a classifier that names them, in its order
    producer: str  # "pytorch 2.9"
    ml_version: int  # of ai.onnx.ml, for the graph that is to hold it


def without_zip_maps(model: bytes) -> bytes:
    """Return a model whose lists of dicts (ZipMap) are the matrices that they were made of.

    A model without any is returned as it is.

    Raises
    ------
    DataError
        If the bytes are no model.
    """
    if b"ZipMap" not in model:
        return model
    proto = parsed_model(model)
    for node in [node for node in proto.graph.node if node.op_type == "ZipMap"]:
        proto.graph.node.remove(node)
        (place,) = [
            number for number, info in enumerate(proto.graph.output) if info.name == node.output[0]
        ]
        width = max(len(attribute.strings) or len(attribute.ints) for attribute in node.attribute)
        matrix = onnx.helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, ["N", width])
        proto.graph.output[place].CopyFrom(matrix)
    return bytes(proto.SerializeToString())


def read_signature(model: bytes) -> Signature:
    """Check that a foreign model can be a part of a bundle, and read its face.

    Raises
    ------
    DataError
        If it cannot be: an operator, data outside the file, a fixed number of rows, an input or
        output that is no table.
    """
    proto = parsed_model(model)
    version = ml_version(proto)
    checked_model(model, {**OPSETS, ML: version})
    constants = {tensor.name for tensor in proto.graph.initializer}
    given = [info for info in proto.graph.input if info.name not in constants]
    if not given or not proto.graph.output:
        raise _refused("the model", "inputs and outputs", "none", "Export the model again.")
    return Signature(
        inputs=tuple(_tensor(info, f"input '{info.name}'") for info in given),
        outputs=tuple(_tensor(info, f"output '{info.name}'") for info in proto.graph.output),
        classes=_classes(proto),
        producer=f"{proto.producer_name} {proto.producer_version}".strip(),
        ml_version=version,
    )


def _tensor(info: onnx.ValueInfoProto, where: str) -> ForeignTensor:
    declared = info.type.tensor_type
    if not info.type.HasField("tensor_type") or declared.elem_type not in TYPES:
        kind = info.type.WhichOneof("value") or "nothing"
        raise _refused(
            where, "a tensor of numbers, booleans or texts", kind.replace("_", " "),
            "Export the model with plain tensors.",
        )  # fmt: skip
    dims = list(declared.shape.dim)
    shown = [dim.dim_param or str(dim.dim_value or "?") for dim in dims]
    if dims and dims[0].dim_value > 0:
        raise _refused(
            where,
            "any number of rows on its first axis",
            f"shape [{', '.join(shown)}], fixed at {dims[0].dim_value}",
            "Export the model with a dynamic first axis (dynamic_axes or dynamic_shapes).",
        )
    if len(dims) > 2:
        raise _refused(
            where, "one row of a table, [N] or [N, k]", f"shape [{', '.join(shown)}]",
            "Export the model with its inputs and outputs reshaped to tables.",
        )  # fmt: skip
    width = 0 if len(dims) == 1 else (dims[1].dim_value or None) if len(dims) == 2 else None
    return ForeignTensor(info.name, TYPES[declared.elem_type], width)


def _classes(proto: onnx.ModelProto) -> tuple[str, ...]:
    """Return the labels that a classifier's own node lists, where exactly one list is there."""
    found: set[tuple[str, ...]] = set()
    for node in nodes_of(proto.graph):
        for attribute in node.attribute:
            if attribute.name.startswith("classlabels_"):
                found.add(_labels(attribute))
    found.discard(())
    return found.pop() if len(found) == 1 else ()


def _labels(attribute: onnx.AttributeProto) -> tuple[str, ...]:
    texts: Sequence[bytes] = attribute.strings
    return tuple(text.decode() for text in texts) or tuple(str(n) for n in attribute.ints)


def _refused(where: str, expected: str, got: str, remedy: str) -> DataError:
    return DataError(
        where=f"foreign ONNX model, {where}", expected=expected, got=got, remedy=remedy,
        code="DT224",
    )  # fmt: skip
