"""A server as a process of its own, started as a user starts it, for tests and benchmarks."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import psutil

_CODE = (
    "import sys, json; from drivetrain.lifecycle.serve import serve;"
    "serve(sys.argv[1], **json.loads(sys.argv[2]))"
)


class ServerProcess:
    """A running server; what it writes to standard error is kept in ``lines``."""

    def __init__(self, what: str | Path, **settings: Any) -> None:
        settings = {"port": 0, **settings}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE, str(what), msgspec.json.encode(settings).decode()],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._written = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.wait_for_line("drivetrain serves at http").split()[-1]
        self.host, port = self.url.rpartition("//")[2].rsplit(":", 1)
        self.port = int(port)

    def connect(self) -> socket.socket:
        """Open a connection to it."""
        return socket.create_connection((self.host, self.port), timeout=10)

    def workers(self) -> list[psutil.Process]:
        """List its workers' processes, oldest first."""
        (nursery,) = psutil.Process(self.process.pid).children()
        return sorted(nursery.children(), key=lambda child: (child.create_time(), child.pid))

    def wait_for_line(self, text: str, *, count: int = 1, timeout_s: float = 60.0) -> str:
        """Wait until so many lines with this text have been written; return the last of them."""

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        with self._written:
            done = self._written.wait_for(
                lambda: len(found()) >= count or not self._reader.is_alive(), timeout_s
            )
            assert done and len(found()) >= count, f"no line with '{text}' in {self.lines}"
            return found()[count - 1]

    def wait_for_ready_workers(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many workers say that they answer; each shows it four times a second."""
        told, deadline = f"\ndrivetrain_workers_ready {count}\n", time.monotonic() + timeout_s
        while True:
            with suppress(OSError), urlopen(f"{self.url}/metrics", timeout=10) as reply:
                if told in reply.read().decode():
                    return
            assert time.monotonic() < deadline, f"never {count} ready workers: {self.lines}"
            time.sleep(0.02)  # the poll of a process, not a guess of how long it takes

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self._reader.join(timeout=10)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return status

    def _read(self) -> None:
        for line in self.process.stderr or ():
            with self._written:
                self.lines.append(line.rstrip("\n"))
                self._written.notify_all()
        with self._written:
            self._written.notify_all()
