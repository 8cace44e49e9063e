"""An open segment: a file of frames, appended to, of which a killed writer loses at most the last.

A frame is the length of its payload and a CRC-32 over it, both 4 bytes little-endian, and the
payload in MessagePack. The first frame holds the :class:`~.layout.Layout`, every other a
:class:`Batch`. The writer holds a lock on the file for as long as it lives, so whoever gets the
lock knows that nothing more will come.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from drivetrain.serve.log.layout import Layout

SUFFIX = ".segment"
_HEAD = struct.Struct("<II")
_LARGEST = 1 << 30


class Batch(msgspec.Struct, frozen=True):
    """Rows of one bundle and role, of many requests: ``counts`` has the rows of each request."""

    content_hash: str
    version: str | None
    role: str
    first_ids: list[str]
    at_us: list[int]
    counts: list[int]
    columns: list[Any]  # one item for each field of the layout: bytes, or a list of texts


_encode = msgspec.msgpack.Encoder().encode
_layout = msgspec.msgpack.Decoder(Layout)
_batch = msgspec.msgpack.Decoder(Batch)


class DamagedSegment(ValueError):
    """A segment whose layout cannot be read."""


class SegmentWriter:
    """Appends batches to a new segment, locked until :meth:`close`.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, folder: Path, stem: str, layout: Layout) -> None:
        self.path = folder / f".{stem}{SUFFIX}"
        draft = folder / f".{stem}.draft"
        self._file = draft.open("xb", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)  # before it has the name that others look for
            self.size_bytes = self._append(_encode(layout))
            draft.rename(self.path)
        except OSError:
            self._file.close()
            draft.unlink(missing_ok=True)
            raise
        self.rows = 0

    def append(self, batch: Batch) -> None:
        """Append a batch; OSError leaves the file as it was before, where that can be done."""
        before = self.size_bytes
        try:
            self.size_bytes += self._append(_encode(batch))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), before)
                os.lseek(self._file.fileno(), before, os.SEEK_SET)
            raise
        self.rows += sum(batch.counts)

    def close(self) -> None:
        """Make what was appended durable, and let the sealer have it."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def _append(self, payload: bytes) -> int:
        frame = memoryview(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
        size = len(frame)
        while len(frame):
            frame = frame[self._file.write(frame) :]
        return size


def read_segment(file: BinaryIO) -> tuple[Layout, Iterator[Batch]]:
    """Read a segment up to its last whole frame.

    Raises
    ------
    DamagedSegment
        If its layout is not there.
    """
    payload = _next_frame(file)
    if payload is None:
        raise DamagedSegment
    try:
        return _layout.decode(payload), _batches(file)
    except msgspec.MsgspecError as error:
        raise DamagedSegment from error


def _batches(file: BinaryIO) -> Iterator[Batch]:
    while (payload := _next_frame(file)) is not None:
        yield _batch.decode(payload)


def _next_frame(file: BinaryIO) -> bytes | None:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    if length > _LARGEST:
        return None
    payload = file.read(length)
    return payload if len(payload) == length and zlib.crc32(payload) == checksum else None
