"""Which columns of the log a bundle fills, and how a request's arrays become them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array
from drivetrain.core.contract import Contract
from drivetrain.core.manifest import Manifest

FieldType: TypeAlias = Literal["double", "int64", "float", "string", "vector", "bool"]
_KINDS: dict[str, FieldType] = {
    "number": "double", "boolean": "double", "category": "string", "text": "string",
    "datetime": "int64", "vector": "vector",
}  # fmt: skip
_DTYPES = {"double": "<f8", "vector": "<f8", "float": "<f4", "int64": "<i8", "bool": "|b1"}


class Field(msgspec.Struct, frozen=True):
    """One column of the log: its name there, its type, and what it is filled from."""

    name: str
    type: FieldType
    source: str  # an input's name, or an output's
    width: int = 0  # items of a vector
    item: int = -1  # column of an output of two axes
    hashed: bool = False

    @property
    def is_input(self) -> bool:
        """Whether it comes from a row's column, not from an output."""
        return self.name.startswith(("input.", "hashed."))


class Layout(msgspec.Struct, frozen=True):
    """All columns that a bundle fills beside ids, time, hash, version and role."""

    fields: tuple[Field, ...]


def layout_of(manifest: Manifest, *, hashes_private: bool = False) -> Layout:
    """Lay out the log of a bundle; private columns are left out, or hashed where there is a key."""
    fields = [*_inputs(manifest.contract, hashes_private)]
    for output in manifest.outputs:
        for name, item in output.columns(manifest.classes).items():
            place = -1 if item is None else item
            fields.append(Field(name, _type_of(output.type), output.name, item=place))
    return Layout(tuple(fields))


def _inputs(contract: Contract, hashes_private: bool) -> Sequence[Field]:
    fields = []
    for column in contract.columns:
        if not column.private:
            kind, name = _KINDS[column.kind], f"input.{column.name}"
            fields.append(Field(name, kind, column.name, width=column.width))
        elif hashes_private:
            fields.append(Field(f"hashed.{column.name}", "string", column.name, hashed=True))
    return fields


def _type_of(output: str) -> FieldType:
    return output if output in ("double", "int64", "float", "bool") else "string"  # type: ignore[return-value]


def pack(field: Field, joined: Array, key: bytes) -> bytes | list[str]:
    """Write one field of many rows: little-endian bytes, or texts."""
    if field.hashed:
        return [_hashed(cell, key) for cell in joined.tolist()]
    if field.type == "string":
        texts: list[str] = joined.tolist()
        return texts
    if field.item >= 0:
        joined = joined[:, field.item]
    return np.ascontiguousarray(joined, dtype=_DTYPES[field.type]).tobytes()


def unpack(field: Field, packed: Any) -> Any:
    """Read back what :func:`pack` wrote: an array, (n, width) for a vector, or a list of texts."""
    if field.type == "string":
        return packed
    values = np.frombuffer(packed, dtype=_DTYPES[field.type])
    return values.reshape(-1, field.width) if field.type == "vector" else values


def _hashed(cell: Any, key: bytes) -> str:
    """Hash one typed cell with the key, 128 bits; a missing cell stays missing.

    Without a key, a column of few values (a birthday, a post code) could be guessed from hashes.
    """
    if cell == "" or cell == MISSING_TIME or cell != cell:
        return ""
    return hashlib.blake2b(
        repr(cell).encode("utf-8", "replace"), digest_size=16, key=key
    ).hexdigest()
