"""The messages of Open Inference Protocol v2 over gRPC, made at run time: no generated code.

Fields and their numbers are those of ``specification/protocol/open_inference_grpc.proto``. Here
``name: type = number``; ``*`` is repeated, ``<>`` a map from text to ``InferParameter``.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
_MESSAGES = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live: bool = 1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready: bool = 1",
    "ModelReadyRequest": "name: string = 1; version: string = 2",
    "ModelReadyResponse": "ready: bool = 1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name: string = 1; version: string = 2; extensions: *string = 3",
    "ModelMetadataRequest": "name: string = 1; version: string = 2",
    "TensorMetadata": "name: string = 1; datatype: string = 2; shape: *int64 = 3",
    "ModelMetadataResponse": (
        "name: string = 1; versions: *string = 2; platform: string = 3;"
        "inputs: *TensorMetadata = 4; outputs: *TensorMetadata = 5; properties: <string> = 6"
    ),
    "InferParameter": (
        "bool_param: |bool = 1; int64_param: |int64 = 2; string_param: |string = 3;"
        "double_param: |double = 4; uint64_param: |uint64 = 5"
    ),
    "InferTensorContents": (
        "bool_contents: *bool = 1; int_contents: *int32 = 2; int64_contents: *int64 = 3;"
        "uint_contents: *uint32 = 4; uint64_contents: *uint64 = 5; fp32_contents: *float = 6;"
        "fp64_contents: *double = 7; bytes_contents: *bytes = 8"
    ),
    "InferInputTensor": (
        "name: string = 1; datatype: string = 2; shape: *int64 = 3;"
        "parameters: <InferParameter> = 4; contents: InferTensorContents = 5"
    ),
    "InferOutputTensor": (
        "name: string = 1; datatype: string = 2; shape: *int64 = 3;"
        "parameters: <InferParameter> = 4; contents: InferTensorContents = 5"
    ),
    "InferRequestedOutputTensor": "name: string = 1; parameters: <InferParameter> = 2",
    "ModelInferRequest": (
        "model_name: string = 1; model_version: string = 2; id: string = 3;"
        "parameters: <InferParameter> = 4; inputs: *InferInputTensor = 5;"
        "outputs: *InferRequestedOutputTensor = 6; raw_input_contents: *bytes = 7"
    ),
    "ModelInferResponse": (
        "model_name: string = 1; model_version: string = 2; id: string = 3;"
        "parameters: <InferParameter> = 4; outputs: *InferOutputTensor = 5;"
        "raw_output_contents: *bytes = 6"
    ),
}
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL, "string": _Field.TYPE_STRING, "bytes": _Field.TYPE_BYTES,
    "int32": _Field.TYPE_INT32, "int64": _Field.TYPE_INT64, "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64, "float": _Field.TYPE_FLOAT, "double": _Field.TYPE_DOUBLE,
}  # fmt: skip


def messages() -> dict[str, Any]:
    """Return the class of every message by its name.

    They are in a pool of their own: a client in the same process may bring the same names.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="open_inference_grpc.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in filter(None, fields.split(";")):
            _add_field(message, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _MESSAGES
    }


def _add_field(message: Any, text: str) -> None:
    name, _, rest = text.strip().partition(": ")
    kind, _, number = rest.partition(" = ")
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if kind[0] == "<":
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key: string = 1")
        _add_field(entry, f"value: {kind[1:-1]} = 2")
        field.label = _Field.LABEL_REPEATED
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{message.name}.{entry.name}"
        return
    if kind[0] == "*":
        field.label = _Field.LABEL_REPEATED
    elif kind[0] == "|":
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    kind = kind.lstrip("*|")
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
