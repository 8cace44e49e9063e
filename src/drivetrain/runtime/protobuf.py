"""Read and write the fields of a protobuf message, without a schema.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

IntVector: TypeAlias = "npt.NDArray[np.int64]"
VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


class Field(NamedTuple):
    """One field: ``whole`` with its tag, and what it holds, by its wire type ``kind``.

    ``content`` is that of a message, text or bytes, else empty; ``value`` that of a varint, else 0.
    """

    number: int
    kind: int
    content: memoryview
    value: int
    whole: memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """Walk the fields of a message.

    Raises
    ------
    ValueError
        If the bytes are no message.
    """
    position = 0
    while position < len(message):
        field = field_at(message, position)
        position += len(field.whole)
        yield field


def field_at(message: memoryview, begin: int) -> Field:
    """Read the field whose tag is at ``begin``; ValueError as of :func:`fields`."""
    tag, start = varint(message, begin)
    kind, value, end = tag & 7, 0, start
    if kind == VARINT:
        value, end = varint(message, start)
        start = end
    elif kind == LENGTH:
        size, start = varint(message, start)
        end = start + size
    elif kind in (EIGHT_BYTES, FOUR_BYTES):
        start = end = start + (8 if kind == EIGHT_BYTES else 4)
    else:
        raise ValueError(f"wire type {kind}")
    if end > len(message):
        raise ValueError("cut short")
    return Field(tag >> 3, kind, message[start:end], value, message[begin:end])


def split_integers(message: memoryview, number: int) -> tuple[list[Field], IntVector]:
    """Read a message with many integers in the field ``number`` < 16: its other fields, and these.

    A hundred times sooner than :func:`fields`, which makes an object of each.

    Raises
    ------
    ValueError
        If the bytes are no message, or the integers do not stand together, as everyone writes them.
    """
    others, found, position = [], [], 0
    while position < len(message):
        if message[position] == number << 3 | VARINT:
            values, size = _run(message[position:], number << 3 | VARINT)
        else:
            field = field_at(message, position)
            values, size = None, len(field.whole)
            if field.number == number and field.kind == LENGTH:
                values, _ = _varints(np.frombuffer(field.content, np.uint8))
            else:
                others.append(field)
        if values is not None:
            found.append(values)
        position += size
    if len(found) > 1:
        raise ValueError("numbers of one list apart")
    return others, found[0] if found else np.empty(0, np.int64)


def _run(message: memoryview, tag: int) -> tuple[IntVector, int]:
    """Read pairs of the tag and an integer until another tag comes; return also their bytes."""
    values, ends = _varints(np.frombuffer(message, np.uint8))
    is_other = values[::2] != tag
    pairs = int(np.argmax(is_other)) if is_other.any() else len(is_other)
    if len(values) < 2 * pairs:
        raise ValueError("a number cut short")
    return values[1 : 2 * pairs : 2], int(ends[2 * pairs - 1]) + 1


def _varints(data: npt.NDArray[np.uint8]) -> tuple[IntVector, npt.NDArray[np.intp]]:
    """Read bytes as nothing but integers, and where each ends; one beyond 64 bits is cut there."""
    ends = np.flatnonzero(data < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    sizes = ends - starts + 1
    values = (data[starts] & 0x7F).astype(np.uint64)
    for byte in range(1, min(10, int(sizes.max(initial=0)))):
        has = np.flatnonzero(sizes > byte)
        part = data[starts[has] + byte] & 0x7F
        values[has] |= part.astype(np.uint64) << np.uint64(7 * byte)
    return values.view(np.int64), ends


def varint(message: memoryview, position: int) -> tuple[int, int]:
    """Read a number; return it and the position behind it.

    Raises
    ------
    ValueError
        If it does not end.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number cut short")


def written(number: int, content: bytes | memoryview) -> bytes:
    """Write a field that holds a message, a text or bytes."""
    return b"".join((_varint(number << 3 | LENGTH), _varint(len(content)), content))


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
