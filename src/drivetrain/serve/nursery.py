"""Where workers are born: a process that has imported all they need, and forks one at a word.

So a worker is there in a few milliseconds, not after a second of imports, and workers share the
memory of their libraries. This is the parent's side, which imports none of them; the other side is
``drivetrain.serve.worker``. They send each other packets over a socket pair: the parent two
sockets for each worker to be, the nursery who was born and who died, with its status.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from typing import TypeAlias

import msgspec

_MODULE = "drivetrain.serve.worker"
_MOST_BYTES = 256


class Born(msgspec.Struct, frozen=True, tag="born"):
    """The worker that was asked for longest ago is this process."""

    process: int


class Died(msgspec.Struct, frozen=True, tag="died"):
    """This worker has ended, as ``os.waitstatus_to_exitcode`` puts it."""

    process: int
    status: int


class Unborn(msgspec.Struct, frozen=True, tag="unborn"):
    """The system had no process for the worker that was asked for longest ago."""

    reason: str


News: TypeAlias = Born | Died | Unborn
read_news = msgspec.json.Decoder(News).decode
write_news = msgspec.json.Encoder().encode


class Birth:
    """A worker's process, from the moment it is asked for.

    Attributes
    ----------
    status
        How it ended, in words.
    ended
        Set when it has ended, or its nursery has and will not tell.
    """

    def __init__(self) -> None:
        self.status = "status unknown"
        self.ended = asyncio.Event()
        self._process: int | None = None
        self._is_unwanted = False

    def kill(self) -> None:
        """End it at once, or as soon as it is born."""
        self._is_unwanted = True
        if self._process is not None and not self.ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)

    def is_born(self, process: int) -> None:
        """Note which process it is."""
        self._process = process
        if self._is_unwanted:
            self.kill()

    def has_died(self, status: str) -> None:
        """Note how it ended."""
        self.status = status
        self.ended.set()


class Nursery:
    """The parent's side; used on its event loop. The process begins with the first birth."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._expected: deque[Birth] = deque()
        self._living: dict[int, Birth] = {}

    def bear(self, listener: socket.socket, control: socket.socket) -> Birth:
        """Ask for a worker with these sockets; its first news comes over ``control``."""
        birth = Birth()
        for _ in range(2):  # one that has died is noticed here, and another asked
            try:
                socket.send_fds(self._open(), [b"+"], [listener.fileno(), control.fileno()])
                self._expected.append(birth)
                return birth
            except OSError as error:
                self._lost()
                birth.status = no_process(error)
        birth.ended.set()
        return birth

    def close(self) -> None:
        """Let the process end, once nobody waits for news."""
        self._lost()

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket.setblocking(False)
            with theirs:
                # -P: the folder in which the server was started shadows no module.
                command = [sys.executable, "-P", "-m", _MODULE, str(theirs.fileno())]
                self._process = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            asyncio.get_running_loop().add_reader(self._socket, self._hear)
        return self._socket

    def _hear(self) -> None:
        try:
            packet = b"" if self._socket is None else self._socket.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._lost()
            return
        news = read_news(packet)
        if isinstance(news, Born):
            birth = self._living[news.process] = self._expected.popleft()
            birth.is_born(news.process)
        elif isinstance(news, Unborn):
            self._expected.popleft().has_died(news.reason)
        elif news.process in self._living:
            self._living.pop(news.process).has_died(_told(news.status))

    def _lost(self) -> None:
        """Forget a nursery that has ended; its workers live on, and are heard by their sockets."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None
        for birth in (*self._expected, *self._living.values()):
            birth.has_died(birth.status)
        self._expected.clear()
        self._living.clear()


def _told(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def no_process(error: OSError) -> str:
    """Say that the system, its limits or its memory, had none."""
    return f"no process could be made: {(error.strerror or str(error)).lower()}"
