"""Tensors as bytes: little-endian, row by row, texts behind their length in 4 bytes.

https://github.com/triton-inference-server/server, ``docs/protocol/extension_binary_data.md``; the
same bytes travel in gRPC's ``raw_input_contents``. NaN is a missing value.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import msgspec
import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Contract
from drivetrain.core.errors import RequestError
from drivetrain.serve.payload import refused
from drivetrain.serve.tensors import Tensor, input_face

_DTYPES: Final = {
    "BOOL": "u1", "UINT8": "u1", "INT8": "i1", "UINT16": "<u2", "INT16": "<i2", "UINT32": "<u4",
    "INT32": "<i4", "UINT64": "<u8", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


def tensor_of(name: str, shape: list[int], datatype: str, raw: bytes | memoryview) -> Tensor:
    """Read one tensor. FP16 and FP32 become FP64, which holds the same numbers.

    Raises
    ------
    RequestError
        If the bytes are more or fewer than the shape and datatype say, or no UTF-8.
    """
    if datatype == "BYTES":
        return Tensor(name, shape, datatype, _texts(name, raw, shape))
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        raise _wrong(name, f"datatype {', '.join(_DTYPES)} or BYTES", "another datatype")
    items = math.prod(shape)
    size = items * np.dtype(dtype).itemsize
    if min(shape, default=0) < 0 or len(raw) != size:
        raise _wrong(name, f"{max(size, 0)} bytes for shape {shape[:8]}", f"{len(raw)}")
    values = np.frombuffer(raw, dtype=dtype)
    if datatype == "BOOL":
        if (values > 1).any():
            raise _wrong(name, "bytes 0 and 1", "another byte")
        return Tensor(name, shape, datatype, values.astype(bool).tolist())
    if datatype.startswith("FP"):
        return Tensor(name, shape, "FP64", values.astype(np.float64).tolist())
    return Tensor(name, shape, datatype, values.tolist())


def only_tensor(contract: Contract, raw: bytes) -> Tensor:
    """Read a body that is nothing but the one input of a model, as many rows as its bytes give."""
    if len(contract.columns) != 1:
        expected = f"the {len(contract.columns)} inputs of the model"
        raise refused(expected, "one without a name", code="DT276")
    face = input_face(contract.columns[0])
    if face.datatype == "BYTES":
        rows = _count_texts(face.name, raw)
    else:
        rows = len(raw) // (np.dtype(_DTYPES[face.datatype]).itemsize * math.prod(face.shape[1:]))
    return tensor_of(face.name, [rows, *face.shape[1:]], face.datatype, raw)


def raw_of(values: Array) -> bytes:
    """Write one output of the graph as bytes."""
    if values.dtype.kind == "f":
        return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
    if values.dtype.kind in "iu":
        return values.astype("<i8").tobytes()
    if values.dtype.kind == "b":
        return values.tobytes()
    encoded = [str(text).encode("utf-8") for text in values.ravel().tolist()]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def split_body(body: bytes, header: str) -> tuple[bytes, memoryview]:
    """Divide a body into its JSON head, as long as the header says, and the bytes behind it."""
    if not (header.isascii() and header.isdigit() and len(header) <= 19):
        raise _wrong_header("a number of bytes", "something else")
    length = int(header)
    if length > len(body):
        raise _wrong_header(f"at most the body's {len(body)} bytes", "more")
    return body[:length], memoryview(body)[length:]


def fill(tensors: list[Tensor], rest: memoryview) -> list[Tensor]:
    """Give tensors that name a ``binary_data_size`` their bytes, in their order.

    Raises
    ------
    RequestError
        If a size is none, a tensor has data too, or the sizes are not all of the bytes.
    """
    filled, place = [], 0
    for tensor in tensors:
        size = (tensor.parameters or {}).get("binary_data_size")
        if size is None:
            filled.append(tensor)
            continue
        if type(size) is not int or not 0 <= size <= len(rest) - place:
            raise _wrong(tensor.name, "a binary_data_size within the body", "another")
        if tensor.data is not msgspec.UNSET:
            raise _wrong(tensor.name, "either data or binary_data_size", "both")
        part = rest[place : place + size]
        filled.append(tensor_of(tensor.name, tensor.shape, tensor.datatype, part))
        place += size
    if place != len(rest):
        got = f"{len(rest)} bytes behind the JSON"
        raise refused(f"{place}, the sum of binary_data_size", got, code="DT276")
    return filled


def _texts(name: str, raw: bytes | memoryview, shape: list[int]) -> list[Any]:
    texts: list[Any] = []
    place, end = 0, len(raw)
    data = bytes(raw)
    width = max(1, math.prod(shape[1:])) if min(shape, default=0) >= 0 else 1
    while place < end:
        length = int.from_bytes(data[place : place + 4], "little")
        place += 4
        if place + length > end:
            raise _wrong(name, "texts within the tensor's bytes", "one that runs past their end")
        try:
            texts.append(data[place : place + length].decode("utf-8"))
        except UnicodeDecodeError as error:
            row = f"column '{name}', row {len(texts) // width}"
            raise refused("a text in UTF-8", "bytes that are none", where=row) from error
        place += length
    return texts


def _count_texts(name: str, raw: bytes) -> int:
    return len(_texts(name, raw, [1]))


def _wrong(name: str, expected: str, got: str) -> RequestError:
    return refused(
        expected, got, where=f"column '{name}'", remedy="Correct the tensor.", code="DT2B7"
    )


def _wrong_header(expected: str, got: str) -> RequestError:
    where = "header 'Inference-Header-Content-Length'"
    return refused(expected, got, where=where, code="DT276")
