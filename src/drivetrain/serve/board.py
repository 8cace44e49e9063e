"""Where workers show each other their counts, so that any of them can answer for all.

Each worker keeps one small file in a folder that its parent made, replaced by a rename. Counts of
a worker that has ended stay, for counters must not go back; the next worker in its place adds them
to one file, so there are never many.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from drivetrain.serve.metrics import Counts, merged

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Counts).decode


class Board:
    """One worker's place among the others.

    Parameters
    ----------
    slot
        The worker's number; its successor has the same.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        self._folder = folder
        self._own = folder / f"{slot}-{os.getpid()}"
        self._inherit(slot)

    def publish(self, counts: Counts) -> None:
        """Show these counts in place of the last."""
        self._write(self._own, counts)

    def others(self) -> list[Counts]:
        """Read what the other workers show; of those that have ended, only what adds up."""
        found = []
        for path in self._folder.glob("*-*"):
            counts = self._read(path)
            if path != self._own and counts is not None:
                found.append(counts if _lives(path) else _past(counts))
        return found

    def _inherit(self, slot: int) -> None:
        ended = [path for path in self._folder.glob(f"{slot}-*") if not _lives(path)]
        past = [_past(counts) for counts in map(self._read, ended) if counts is not None]
        if past:
            self._write(self._folder / f"{slot}-0", merged(past))
        for path in ended:
            if path.name != f"{slot}-0":
                path.unlink(missing_ok=True)

    def _write(self, path: Path, counts: Counts) -> None:
        draft = path.with_name(f".{path.name}")
        draft.write_bytes(_encode(counts))
        draft.replace(path)

    def _read(self, path: Path) -> Counts | None:
        try:
            return _decode(path.read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return None


def _lives(path: Path) -> bool:
    pid = int(path.name.partition("-")[2])
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _past(counts: Counts) -> Counts:
    return msgspec.structs.replace(counts, gauges={}, models=[])
