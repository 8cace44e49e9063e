"""The process that makes Parquet of segments: ``python -m drivetrain.serve.log.sealer FOLDER``.

It is a process of its own, with low priority, so that writing Parquet neither holds up answers nor
brings its library into every worker. It looks when a line comes on standard input, and every few
seconds, since a writer that was killed tells nothing; when standard input ends it looks once more
and goes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
from pathlib import Path

from drivetrain.serve.log.parquet import ready_parquet, seal_folder

_LOOK_S = 2.0
_log = logging.getLogger("drivetrain.serve.log")


def main(folder: Path) -> None:
    """Seal what can be sealed until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are for the server, which then closes our pipe
    with contextlib.suppress(OSError):
        os.nice(10)
    ready_parquet()
    listening = True
    while listening:
        _seal(folder)
        ready, _, _ = select.select([sys.stdin], [], [], _LOOK_S)
        listening = not ready or bool(os.read(sys.stdin.fileno(), 4096))
    _seal(folder)


def _seal(folder: Path) -> None:
    try:
        seal_folder(folder)
    except OSError as error:  # a full disk: the segments stay, the next look tries again
        _log.error("the prediction log's segments stay unsealed: %s", error.strerror)


if __name__ == "__main__":
    logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
    main(Path(sys.argv[1]))
