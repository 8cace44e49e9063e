"""Find whether an ONNX model would have other files read: external data is refused.

A session made from bytes still reads external initializers, from the working directory
(onnxruntime 1.32 does). onnxruntime has no switch against it, and the onnx library is not there to
score, so the model's own protobuf is walked, tensors only.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from drivetrain.runtime.protobuf import LENGTH, fields

_Message: TypeAlias = Literal[
    "model", "graph", "node", "attribute", "tensor", "sparse", "function", "training"
]

# onnx.proto: the fields through which a tensor can be reached
_CHILDREN: Final[dict[_Message, dict[int, _Message]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEPTH = 100  # protobuf's own limit


def has_external_data(model: bytes) -> bool:
    """Tell whether a tensor of the model lies in another file.

    Raises
    ------
    ValueError
        If the bytes are no protobuf message.
    """
    # where the data lies is an entry whose key is spelled "location"
    return b"location" in model and _visit(memoryview(model), "model", 0)


def _visit(data: memoryview, message: _Message, depth: int) -> bool:
    if depth > _DEPTH:
        raise ValueError("nested too deeply")
    children = _CHILDREN[message]
    for field in fields(data):
        if message == "tensor" and field.number in (_EXTERNAL_DATA, _DATA_LOCATION):
            if field.number == _EXTERNAL_DATA or field.value:
                return True
        elif field.kind == LENGTH and field.number in children:
            found = _visit(field.content, children[field.number], depth + 1)
            if found:
                return True
    return False
