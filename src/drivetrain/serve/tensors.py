"""Tables as tensors of the Open Inference Protocol: one tensor per column, texts as BYTES.

Data may be flat or nested, row by row. ``null`` is a missing value in a tensor of any datatype,
for JSON has no NaN: an addition to the protocol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Column, Contract, Kind
from drivetrain.core.errors import RequestError, Value
from drivetrain.core.manifest import Output
from drivetrain.serve.payload import refused
from drivetrain.serve.service import Rows

_INTEGERS: Final = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_NUMBERS: Final = ("FP64", "FP32", *_INTEGERS, "BOOL")
_DATATYPES: Final[Mapping[Kind, tuple[str, ...]]] = {  # the first is the one that is announced
    "number": _NUMBERS,
    "boolean": ("BOOL", *_INTEGERS, "FP64", "FP32", "BYTES"),
    "category": ("BYTES", *_INTEGERS, "FP64", "FP32", "BOOL"),
    "text": ("BYTES", *_INTEGERS, "FP64", "FP32", "BOOL"),
    "datetime": ("BYTES", *_INTEGERS),
    "vector": _NUMBERS,
}
_NULL = type(None)
_TYPES: Final[Mapping[str, frozenset[type]]] = {
    "BOOL": frozenset({bool, _NULL}),
    "BYTES": frozenset({str, _NULL}),
    "FP32": frozenset({float, int, _NULL}),
    "FP64": frozenset({float, int, _NULL}),
    **{name: frozenset({int, _NULL}) for name in _INTEGERS},
}
_WORDS: Final = {"BOOL": "true or false", "BYTES": "a text", "FP32": "a number", "FP64": "a number"}
_BOUNDS: Final = {
    name: (int(np.iinfo(name.lower()).min), int(np.iinfo(name.lower()).max)) for name in _INTEGERS
}
_ARRAYS: Final = {"FP64": np.float64, "BOOL": np.bool_} | {
    name: np.dtype(name.lower()) for name in _INTEGERS
}
_OUTPUTS: Final = {
    "float": "FP32",
    "double": "FP64",
    "int64": "INT64",
    "string": "BYTES",
    "bool": "BOOL",
}


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One input as it came; the types of its fields are right, their values are not checked."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | UnsetType = UNSET
    parameters: dict[str, Any] | None = None


class TensorFace(msgspec.Struct, frozen=True):
    """What is announced of one input or output; -1 stands for any number of rows."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def input_face(column: Column) -> TensorFace:
    """Announce one column of the Contract."""
    shape = (-1, column.width) if column.kind == "vector" else (-1,)
    return TensorFace(column.name, _DATATYPES[column.kind][0], shape)


def output_face(output: Output) -> TensorFace:
    """Announce one output of the graph."""
    return TensorFace(output.name, _OUTPUTS[output.type], output.shape)


def rows_of(tensors: Sequence[Tensor], contract: Contract) -> Rows:
    """Turn the tensors of a request into rows for the model.

    Raises
    ------
    RequestError
        If names repeat, a shape or datatype is not the column's, or data fits neither.
    """
    columns = {column.name: column for column in contract.columns}
    flat: dict[str, Any] = {}
    rows: int | None = None
    for tensor in tensors:
        if tensor.name in flat:
            raise _wrong(tensor.name, "one tensor", "two with this name")
        column = columns.get(tensor.name)
        if column is not None:
            _check_face(tensor, column)
        cells = _checked(tensor)
        count = tensor.shape[0]
        if rows is not None and count != rows:
            raise _wrong(tensor.name, f"{rows} rows, as in the tensors before it", f"{count}")
        rows = count
        flat[tensor.name] = _unfolded(tensor, cells)
    if rows == 1:
        return [{name: cells[0] for name, cells in flat.items()}]
    return {tensor.name: _packed(tensor, flat[tensor.name]) for tensor in tensors}


def output_tensor(name: str, values: Array) -> dict[str, Any]:
    """Write one output of the graph, floats as exact decimals."""
    head = {"name": name, "datatype": datatype_of(values), "shape": values.shape}
    return head | {"data": values.ravel().tolist()}


def datatype_of(values: Array) -> str:
    """Name the datatype of one output of the graph."""
    kind = values.dtype.kind
    if kind == "f":
        return "FP32" if values.dtype.itemsize == 4 else "FP64"
    if kind == "b":
        return "BOOL"
    return "INT64" if kind in "iu" else "BYTES"


def _check_face(tensor: Tensor, column: Column) -> None:
    accepted = _DATATYPES[column.kind]
    if tensor.datatype not in accepted:
        got = tensor.datatype if tensor.datatype in _TYPES else "another datatype"
        raise _wrong(tensor.name, f"datatype {', '.join(accepted)}", got)
    shape = tensor.shape
    if column.kind == "vector":
        if len(shape) != 2 or shape[1] != column.width:
            raise _wrong(tensor.name, f"shape [rows, {column.width}]", str(shape[:8]))
    elif len(shape) != 1 and (len(shape) != 2 or shape[1] != 1):
        raise _wrong(tensor.name, "shape [rows] or [rows, 1]", str(shape[:8]))


def _checked(tensor: Tensor) -> list[Any]:
    """Return the elements in a flat list, all of them of the tensor's datatype."""
    name, shape, data = tensor.name, tensor.shape, tensor.data
    if data is UNSET:
        raise _wrong(name, "data", "none")
    types = _TYPES.get(tensor.datatype)
    if types is None:
        remedy = "FP16 and BF16 have no form in JSON: use FP32."
        raise _wrong(name, f"datatype {', '.join(_TYPES)}", "another datatype", remedy)
    if not shape or shape[0] < 0 or min(shape[1:], default=1) < 1:
        raise _wrong(name, "a shape of [rows] or [rows, width], rows >= 0", str(shape[:8]))
    if data and type(data[0]) is list:
        data = _flattened(name, data, shape)
    if len(data) != math.prod(shape):
        raise _wrong(name, f"{math.prod(shape)} items for shape {shape[:8]}", str(len(data)))
    if not types.issuperset(map(type, data)):
        at = next(index for index, item in enumerate(data) if type(item) not in types)
        word = _WORDS.get(tensor.datatype, "a whole number")
        raise _wrong_item(tensor, at, f"{word}, as {tensor.datatype} says", data[at])
    if tensor.datatype in _BOUNDS:
        _check_bounds(tensor, data)
    return _rounded(tensor, data) if tensor.datatype == "FP32" else data


def _flattened(name: str, data: list[Any], shape: list[int]) -> list[Any]:
    level = data
    for depth in range(1, len(shape) + 1):
        if len(level) != math.prod(shape[:depth]):
            raise _wrong(name, f"data nested as shape {shape[:8]}", "another nesting")
        if not level or type(level[0]) is not list:
            return level
        if depth == len(shape):
            break
        for row, items in enumerate(level):
            if type(items) is not list or len(items) != shape[depth]:
                place = f"column '{name}', row {row // math.prod(shape[1:depth])}"
                raise refused(f"a list of {shape[depth]} items", _kind(items), where=place)
        level = [item for items in level for item in items]
    raise _wrong(name, f"data nested {len(shape)} deep, as its shape", "deeper nesting")


def _check_bounds(tensor: Tensor, data: list[Any]) -> None:
    low, high = _BOUNDS[tensor.datatype]
    for index, item in enumerate(data):
        if item is not None and not low <= item <= high:
            raise _wrong_item(tensor, index, f"an {tensor.datatype} from {low} to {high}", item)


def _rounded(tensor: Tensor, data: list[Any]) -> list[Any]:
    """Round to float32, which the client says that these numbers are."""
    with np.errstate(over="ignore"):
        rounded = np.array([0.0 if item is None else item for item in data], dtype=np.float64)
        values = rounded.astype(np.float32).tolist()
    for index, value in enumerate(values):
        if math.isinf(value):
            raise _wrong_item(tensor, index, "a number within FP32", data[index])
        if data[index] is None:
            values[index] = None
    return values  # type: ignore[no-any-return]


def _unfolded(tensor: Tensor, cells: list[Any]) -> list[Any]:
    """Give one item per row: a cell, or the list of a vector's numbers."""
    width = math.prod(tensor.shape[1:])
    if len(tensor.shape) == 1 or (width == 1 and len(tensor.shape) == 2):
        return cells
    return [cells[start : start + width] for start in range(0, len(cells), width)]


def _packed(tensor: Tensor, cells: list[Any]) -> Any:
    """Give the cheapest form to admit: an array where no value is missing."""
    dtype = _ARRAYS.get("FP64" if tensor.datatype == "FP32" else tensor.datatype)
    if dtype is None or None in cells or len(tensor.shape) > 1:
        return cells
    return np.array(cells, dtype=dtype)


def _kind(item: object) -> str:
    return Value(item).described()


def _wrong(name: str, expected: str, got: str, remedy: str = "Correct the tensor.") -> RequestError:
    return refused(expected, got, where=f"column '{name}'", remedy=remedy, code="DT2B8")


def _wrong_item(tensor: Tensor, index: int, expected: str, item: object) -> RequestError:
    row = index // math.prod(tensor.shape[1:])
    return RequestError(
        where=f"column '{tensor.name}', row {row}",
        expected=expected,
        got=Value(item),
        remedy="Correct it, or the tensor's datatype.",
        code="DT2B9",
    )
