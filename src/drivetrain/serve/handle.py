"""A worker as its parent sees it: a process, a socket pair, and what it last said."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

from drivetrain.serve.messages import MAX_LINE, Follow, Order, Report, line, read_report
from drivetrain.serve.nursery import Nursery

_LAST_S = 10.0  # for what a worker does after its last request, such as closing the log


class Worker:
    """A worker's process.

    Parameters
    ----------
    slot
        Its number among the workers that serve.
    listener
        The socket that it shares.
    nursery
        Where its process is born.

    Attributes
    ----------
    started_s, asked_s
        When it started and was last told a state, on the event loop's clock.
    asked, generation
        Newest state that it was told, and that it serves; 0 for none.
    gone
        Set when the process has ended.
    """

    def __init__(self, slot: int, listener: socket.socket, nursery: Nursery) -> None:
        self.slot = slot
        self._loop = asyncio.get_running_loop()
        self.started_s = self.asked_s = self._loop.time()
        self.asked = 0
        self.generation = 0
        self.silent_ticks = 0
        self.is_heard = False
        self.gone = asyncio.Event()
        self._answered = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._orders, theirs = socket.socketpair()
        with theirs:
            self._birth = nursery.bear(listener, theirs)

    def send(self, order: Order) -> None:
        """Tell the worker something; one that is dying does not hear it."""
        if self._writer is not None:
            self._writer.write(line(order))  # its death is noticed where its reports are read
        else:
            with suppress(ConnectionError):
                self._orders.sendall(line(order))

    def follow(self, order: Follow) -> None:
        """Tell the worker a state."""
        self.asked, self.asked_s = order.generation, self._loop.time()
        self.send(order)

    def serves(self, generation: int) -> None:
        """Note what it serves now."""
        self.generation = generation
        self._answered.set()

    def refuses(self, generation: int) -> None:
        """Note that it could not serve what it was told."""
        if generation == self.asked:
            self.asked = self.generation
        self._answered.set()

    async def reports(self) -> AsyncIterator[Report]:
        """Yield what it says, until it ends."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._orders, limit=MAX_LINE)
        try:
            while text := await reader.readline():
                yield read_report(text)
        except ConnectionError:
            return
        finally:
            self._writer.close()

    async def first_answer(self, timeout_s: float) -> None:
        """Wait until it serves, refuses or has ended."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._answered, self.gone)]
        _, waiting = await asyncio.wait(
            waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waiting:
            wait.cancel()

    def kill(self) -> None:
        """End the process at once."""
        self._birth.kill()

    async def end(self) -> None:
        """Wait for a process whose reports ended; one that only closed its socket is killed."""
        for _ in range(2):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._birth.ended.wait(), _LAST_S)
                return
            self._birth.kill()

    @property
    def status(self) -> str:
        """How the process ended, in words."""
        return self._birth.status
