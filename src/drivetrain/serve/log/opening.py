"""The prediction log that a server's settings ask for, and the key of its hashes."""

from __future__ import annotations

import os
from pathlib import Path

from drivetrain.core.errors import ResourceError
from drivetrain.serve.log.writer import PredictionLog
from drivetrain.serve.settings import ServeSettings


def open_log(settings: ServeSettings, worker: int = 0) -> PredictionLog | None:
    """Open the log that the settings ask for, in the process that will write it.

    Raises
    ------
    ResourceError
        If the folder cannot be written to, or the key not be read.
    """
    if settings.log is None:
        return None
    return PredictionLog(
        Path(settings.log),
        writer=f"w{worker}-{os.getpid()}",
        segment_s=settings.log_segment_s,
        queue_bytes=settings.log_queue_bytes,
        blocks=settings.log_block,
        hash_key=b"" if settings.log_hash_key is None else _read_key(Path(settings.log_hash_key)),
    )


def _read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise _no_key(path, (error.strerror or str(error)).lower()) from error
    if not 16 <= len(key) <= 64:
        raise _no_key(path, f"{len(key)} bytes")
    return key


def _no_key(path: Path, got: str) -> ResourceError:
    return ResourceError(
        where=f"the key file {path}",
        expected="a file of 16 to 64 bytes",
        got=got,
        remedy="Make one: head -c 32 /dev/urandom | base64 > KEYFILE",
        code="DT326",
    )
