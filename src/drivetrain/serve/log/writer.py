"""The writer: a bounded queue before a thread that appends to segments."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.errors import ResourceError
from drivetrain.serve.answer import Logged
from drivetrain.serve.log.health import HealthLog
from drivetrain.serve.log.layout import Field, Layout, layout_of, pack
from drivetrain.serve.log.segment import SUFFIX, Batch, SegmentWriter
from drivetrain.serve.served import Served

_FLUSH_S = 0.1  # what a kill of the process may lose
_log = logging.getLogger("drivetrain.serve.log")
_Group: TypeAlias = "dict[tuple[int, str, bool], list[Logged]]"


class PredictionLog:
    """Keeps what the server answers, in segments within ``folder``.

    Parameters
    ----------
    writer
        Keeps the segments of several processes apart, such as ``w0-4711``.
    segment_s, segment_rows
        When a segment is closed: so long after its first row, or with so many.
    queue_bytes
        Most memory for rows that wait; beyond it rows are dropped and counted.
    blocks
        Let requests wait for room instead of dropping their rows.
    hash_key
        Key to hash private columns with, at most 64 bytes; without one they are left out.

    Raises
    ------
    ResourceError
        If the folder cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        writer: str = "",
        segment_s: float = 8.0,
        segment_rows: int = 50_000,
        queue_bytes: int = 32 << 20,
        blocks: bool = False,
        hash_key: bytes = b"",
    ) -> None:
        self.folder = folder
        self.rows = 0  # that were appended
        self.dropped = 0  # rows without room, or without a disk to take them
        self._writer = writer or f"w0-{os.getpid()}"
        self._segment_s, self._segment_rows = segment_s, segment_rows
        self._queue_bytes, self._blocks, self._key = queue_bytes, blocks, hash_key
        self._queue: deque[tuple[Logged, int]] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._layouts: dict[int, tuple[Served, Layout]] = {}
        self._open: dict[Layout, tuple[SegmentWriter, float]] = {}
        self._closing = threading.Event()
        _check_folder(folder)
        self._sealer: subprocess.Popen[bytes] | None = None
        self._seals = find_spec("pyarrow") is not None
        if self._seals:
            self._start_sealer()
        else:
            _log.warning(
                "the prediction log stays in segments that only drivetrain reads:"
                " pip install 'drivetrain[serve]' to have it in Parquet"
            )
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def add(self, record: Logged) -> None:
        """Keep rows: into the queue, dropped where it is full, or wait for room."""
        size = _size_of(record)
        with self._lock:
            if self._queue and self._waiting_bytes + size > self._queue_bytes:
                if not self._blocks:
                    self.dropped += record.rows
                    return
                self._room.wait_for(lambda: not self._queue)
            self._queue.append((record, size))
            self._waiting_bytes += size

    def health(self) -> HealthLog:
        """Return what keeps requests, failures and durations beside the segments."""
        now_us = time.time_ns() // 1000
        return HealthLog(self.folder, self._writer, every_s=self._segment_s, now_us=now_us)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits, close the segments, and wait until they are Parquet."""
        self._closing.set()
        self._thread.join(timeout_s)
        if self._sealer is not None and self._sealer.stdin is not None:
            self._sealer.stdin.close()
            try:
                self._sealer.wait(timeout_s)
            except subprocess.TimeoutExpired:
                _log.warning("the prediction log's last segments are being sealed still")

    def _run(self) -> None:
        while not self._closing.wait(_FLUSH_S):
            self._flush()
            self._close_segments(time.monotonic())
        self._flush()
        self._close_segments(float("inf"))

    def _flush(self) -> None:
        with self._room:
            taken, self._queue = self._queue, deque()
            self._waiting_bytes = 0
            self._room.notify_all()
        groups: _Group = {}
        for record, _ in taken:
            is_table = isinstance(record.inputs, dict)
            groups.setdefault((id(record.served), record.role, is_table), []).append(record)
        for records in groups.values():
            rows = sum(record.rows for record in records)
            try:
                self._append(records)
                self.rows += rows
            except OSError as error:
                self.dropped += rows
                _log.error("the prediction log drops %d rows: %s", rows, error.strerror)
            except Exception:  # the thread must live: requests may be waiting for room
                self.dropped += rows
                _log.exception("the prediction log drops %d rows", rows)

    def _append(self, records: list[Logged]) -> None:
        served = records[0].served
        layout = self._layout(served)
        joined: dict[str, Array] = {}  # probabilities are joined once for all classes
        tables = [each.inputs for each in records if isinstance(each.inputs, dict)]
        rows = [row for each in records if not isinstance(each.inputs, dict) for row in each.inputs]
        columns = []
        for field in layout.fields:
            if field.is_input:
                columns.append(pack(field, _inputs(rows, tables, field), self._key))
                continue
            if field.source not in joined:
                joined[field.source] = _joined([each.outputs[field.source] for each in records])
            columns.append(pack(field, joined[field.source], self._key))
        batch = Batch(
            served.model.manifest.content_hash,
            served.ledger_version,
            records[0].role,
            [first_id for record in records for first_id in record.first_ids],
            [at_us for record in records for at_us in record.at_us],
            [count for record in records for count in record.counts],
            columns,
        )
        self._segment(layout, records[0].at_us[0]).append(batch)

    def _layout(self, served: Served) -> Layout:
        known = self._layouts.get(id(served))
        if known is None or known[0] is not served:
            layout = layout_of(served.model.manifest, hashes_private=bool(self._key))
            self._layouts = {id(served): (served, layout)} | dict([*self._layouts.items()][:7])
            return layout
        return known[1]

    def _segment(self, layout: Layout, at_us: int) -> SegmentWriter:
        if layout not in self._open:
            stem = f"{at_us:020d}-{self._writer}"
            while (self.folder / f"{stem}.parquet").exists() or any(
                segment.path.name == f".{stem}{SUFFIX}" for segment, _ in self._open.values()
            ):
                at_us += 1  # two layouts in one microsecond
                stem = f"{at_us:020d}-{self._writer}"
            opened = SegmentWriter(self.folder, stem, layout)
            self._open[layout] = opened, time.monotonic() + self._segment_s
        return self._open[layout][0]

    def _close_segments(self, now: float) -> None:
        for layout, (segment, due) in list(self._open.items()):
            if now < due and segment.rows < self._segment_rows:
                continue
            del self._open[layout]
            try:
                segment.close()
            except OSError as error:
                _log.error("the prediction log's segment may be lost: %s", error.strerror)
            self._wake_sealer()

    def _wake_sealer(self) -> None:
        if not self._seals:
            return
        if self._sealer is None or self._sealer.poll() is not None:
            self._start_sealer()
        if self._sealer is not None and self._sealer.stdin is not None:
            try:
                self._sealer.stdin.write(b"\n")
                self._sealer.stdin.flush()
            except OSError:
                _log.warning("the prediction log's sealer has ended; another is started next time")

    def _start_sealer(self) -> None:
        command = [sys.executable, "-m", "drivetrain.serve.log.sealer", str(self.folder)]
        self._sealer = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _inputs(rows: Sequence[Mapping[str, Any]], tables: Sequence[Columns], field: Field) -> Array:
    """Put one input of all records, which are all single rows or all columns, into one array."""
    if not rows:
        return _joined([table[field.source] for table in tables])
    column = np.empty(len(rows), object if field.type == "string" else field.type)
    column[:] = [cells[field.source] for cells in rows]
    return column


def _size_of(record: Logged) -> int:
    """Estimate the memory of rows, texts included."""
    inputs = record.inputs
    if not isinstance(inputs, dict):
        size = (512 + 96 * len(inputs[0])) * len(inputs)
        for name in record.served.text_columns:
            size += sum([len(cells[name]) for cells in inputs])
        return size
    size = 512 + 96 * record.rows * len(inputs)
    for column in inputs.values():
        if column.dtype.kind == "O":
            size += sum(map(len, column.tolist()))
        elif column.ndim > 1:
            size += column.nbytes
    return size


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ResourceError(
            where=f"the prediction log's folder {folder}",
            expected="a folder to write to",
            got=(error.strerror or str(error)).lower(),
            remedy="Choose another with --log.",
            code="DT327",
        ) from error
