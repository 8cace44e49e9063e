"""The program of a worker: ``python -m drivetrain.serve.worker LISTENER CONTROL``.

Both are numbers of inherited sockets. Everything else comes over the second, as JSON.
"""

from __future__ import annotations

import logging
import socket
import sys

from drivetrain.serve.messages import Start, read_order
from drivetrain.serve.server import Server


def main(listener: int, control: int) -> None:
    """Serve on an inherited socket until told to end."""
    orders = socket.socket(fileno=control)
    start = read_order(_first_line(orders))
    if not isinstance(start, Start):
        raise SystemExit(f"the first order has to be a start, got {type(start).__name__}")
    orders.setblocking(False)
    if start.settings.access_log:
        _write_access_lines()
    Server(start, socket.socket(fileno=listener), orders).run()


def _write_access_lines() -> None:
    """Let the access log go to standard error, each line as it is."""
    access = logging.getLogger("drivetrain.serve.access")
    access.setLevel(logging.INFO)
    access.propagate = False
    access.addHandler(logging.StreamHandler())


def _first_line(orders: socket.socket) -> bytes:
    """Read one line and not a byte more: what follows is read by the event loop."""
    text = bytearray()
    while not text.endswith(b"\n"):
        byte = orders.recv(1)
        if not byte:
            raise SystemExit(0)  # the parent is gone already
        text += byte
    return bytes(text)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
