"""Read and write the fields of a protobuf message, without a schema.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


@dataclass(frozen=True, eq=False)
class Field:
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
        begin = position
        tag, position = varint(message, position)
        start, kind, value = position, tag & 7, 0
        if kind == VARINT:
            value, position = varint(message, position)
            start = position
        elif kind == LENGTH:
            size, start = varint(message, position)
            position = start + size
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            position = start = position + (8 if kind == EIGHT_BYTES else 4)
        else:
            raise ValueError(f"wire type {kind}")
        if position > len(message):
            raise ValueError("cut short")
        yield Field(tag >> 3, kind, message[start:position], value, message[begin:position])


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
