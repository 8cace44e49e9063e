"""The vectors of a bundle: raw rows, the tensors they become, the outputs these give.

With them any language and any engine can prove that it answers as this one does. The file is JSON:
``rows`` are objects of cells, ``tensors`` and ``outputs`` are lists of ``{name, type, shape,
values}`` with the values in row-major order. Doubles and floats are written in the shortest form
that reads back to the same bits, or as the texts ``nan``, ``inf`` and ``-inf``; int64 as texts,
since many JSON readers hold numbers as doubles; bool as true and false.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import VECTORS_FILE
from drivetrain.runtime.bundle import Bundle
from drivetrain.runtime.model import Model

TOLERANCE = 1e-5  # on probabilities; on values relative to the largest: DESIGN's parity

_TYPES: dict[str, Any] = {
    "float": np.float32,
    "double": np.float64,
    "int64": np.int64,
    "bool": np.bool_,
}
_KINDS = {"f4": "float", "f8": "double", "i8": "int64", "b1": "bool"}  # of a dtype; else a text


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One named tensor as JSON."""

    name: str
    type: Literal["float", "double", "int64", "string", "bool"]
    shape: tuple[int, ...]
    values: tuple[bool | float | str, ...]


class Vectors(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``vectors.json``."""

    rows: tuple[dict[str, Any], ...]
    tensors: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def tensor_of(name: str, array: Array) -> Tensor:
    """Write an array as JSON holds it."""
    kind = _KINDS.get(array.dtype.str[1:], "string")
    flat = array.ravel().tolist()
    values: list[bool | float | str]
    if kind in ("string", "int64"):
        values = [str(value) for value in flat]
    else:
        values = [value if kind == "bool" or math.isfinite(value) else str(value) for value in flat]
    return Tensor(name=name, type=kind, shape=array.shape, values=tuple(values))  # type: ignore[arg-type]


def array_of(tensor: Tensor) -> Array:
    """Read an array back, bit for bit."""
    if tensor.type == "string":
        texts = np.empty(len(tensor.values), dtype=object)
        texts[:] = tensor.values
        return texts.reshape(tensor.shape)
    convert: Any = {"int64": int, "bool": bool}.get(tensor.type, float)
    numbers = [convert(value) for value in tensor.values]
    return np.array(numbers, dtype=_TYPES[tensor.type]).reshape(tensor.shape)


def check_vectors(bundle: Bundle, model: Model | None = None) -> float:
    """Replay the bundle's vectors on this machine.

    Parameters
    ----------
    model
        The bundle's model where it is loaded already.

    Returns
    -------
    float
        The largest difference of a probability or, relative to the largest, of a value.

    Raises
    ------
    BundleError
        If a row becomes another tensor, a label differs, or a number by more than 1e-5.
    """
    try:
        vectors = msgspec.json.decode(bundle.vectors, type=Vectors)
        tensors = {tensor.name: array_of(tensor) for tensor in vectors.tensors}
        outputs = {tensor.name: array_of(tensor) for tensor in vectors.outputs}
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise _refuse(bundle, "the file", "vectors", str(error)) from error
    model = model or Model(bundle, threads=1)
    columns = model.admit(list(vectors.rows)).columns
    if tensors.keys() != columns.keys():
        got = ", ".join(sorted(tensors))
        raise _refuse(bundle, "tensors", f"columns {', '.join(sorted(columns))}", got)
    for name, expected in tensors.items():
        if not equal_bits(columns[name], expected):
            raise _refuse(bundle, f"column '{name}'", "the tensor of the file", "another")
    found = model.run(columns)
    if found.keys() != outputs.keys():
        got = ", ".join(sorted(outputs))
        raise _refuse(bundle, "outputs", ", ".join(sorted(found)), got)
    return max(
        (_difference(bundle, name, found[name], outputs[name]) for name in found), default=0.0
    )


def equal_bits(left: Array, right: Array) -> bool:
    """Tell whether two arrays are the same; any NaN equals any NaN."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.kind == "f":
        same = (left == right) & (np.signbit(left) == np.signbit(right))
        return bool((same | (np.isnan(left) & np.isnan(right))).all())
    return bool((left == right).all())


def _difference(bundle: Bundle, name: str, found: Array, expected: Array) -> float:
    if found.dtype.kind != "f":
        if not equal_bits(found, expected):
            raise _refuse(bundle, f"output '{name}'", "the labels of the file", "others")
        return 0.0
    if found.dtype != expected.dtype or found.shape != expected.shape:
        raise _refuse(bundle, f"output '{name}'", f"shape {expected.shape}", f"{found.shape}")
    if equal_bits(found, expected):
        return 0.0
    size = max(1.0, float(np.nanmax(np.abs(expected), initial=0.0)))
    worst = float(np.max(np.abs(found - expected), initial=0.0)) / size
    if not worst <= TOLERANCE:  # a NaN on one side is no agreement
        raise _refuse(bundle, f"output '{name}'", f"agreement within {TOLERANCE}", f"{worst:.3g}")
    return worst


def _refuse(bundle: Bundle, what: str, expected: str, got: str) -> BundleError:
    return BundleError(
        where=f"bundle {bundle.path / VECTORS_FILE}, {what}",
        expected=expected,
        got=got,
        remedy="Train the bundle anew with this version.",
        code="DT2N3",
    )
