"""Taking connections from a socket that several workers share.

A few at a time, then a millisecond for the others: an event loop's own server takes all that wait
at once, so that of a burst one worker gets nearly everything. Without file descriptors left a
worker rests instead of turning in a circle; who waits is taken by another worker, or later.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

AT_ONCE = 2
_ALONE = 16  # at once where no other worker waits: under overload each turn of the loop takes long
_TURN_S = 0.001  # the finest that uvloop's timers know
_REST_S = 0.2
_HANDSHAKE_S = 10.0
_log = logging.getLogger("drivetrain.serve")


class Acceptor:
    """Takes connections until it is closed.

    Parameters
    ----------
    listener
        The shared socket, which does not block.
    connect
        Makes the protocol of one connection.
    tls
        Set to serve HTTPS.
    is_shared
        Whether other workers take connections from the same socket.
    """

    def __init__(
        self,
        listener: socket.socket,
        connect: Callable[[], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None = None,
        is_shared: bool = True,
    ) -> None:
        self._listener = listener
        self._connect = connect
        self._tls = tls
        self._is_shared = is_shared
        self._loop = asyncio.get_running_loop()
        self._adopting: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._resume()

    def close(self) -> None:
        """Take what waits already, then no more; the socket is closed in this process."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener)
            while self._take():
                pass
            self._listener.close()

    def _take_some(self) -> None:
        for _ in range(AT_ONCE if self._is_shared else _ALONE):
            if not self._take():
                return
        if self._is_shared:
            self._rest(_TURN_S)

    def _take(self) -> bool:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return False  # another worker was quicker, or the client left
        except OSError as error:
            _log.warning("no connection can be accepted: %s", error.strerror)
            self._rest(_REST_S)
            return False
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._adopt(connection))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)
        return True

    def _rest(self, seconds: float) -> None:
        if self._is_open:
            self._loop.remove_reader(self._listener)
            self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener, self._take_some)

    async def _adopt(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._connect,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE_S,
            )
        except OSError:  # a handshake that failed, a client that left; TLS errors are OSErrors
            connection.close()
