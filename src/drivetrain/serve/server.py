"""What a worker runs: uvicorn on a socket that it shares, and orders from its parent.

A worker that is told a state loads it on a thread, swaps it in, and only then opens the port, so
that it takes no request before it can answer (the parent opens one early where none is open, to
say that the server lives but is not ready). Told to leave or to drain it lets replies say
``Connection: close`` for ``drain_delay_s``, closes the port, finishes what is in flight and ends.
When the parent dies, its workers read the end of its orders and drain.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time_ns
from types import FrameType

import uvicorn

from drivetrain.serve.acceptor import Acceptor
from drivetrain.serve.app import App
from drivetrain.serve.board import Board
from drivetrain.serve.connection import bounded
from drivetrain.serve.grpc_server import Called, GrpcServer
from drivetrain.serve.loading import Loaded, load_lineup
from drivetrain.serve.log.opening import open_log
from drivetrain.serve.messages import (
    MAX_LINE,
    Alive,
    Drain,
    Follow,
    Leave,
    Open,
    Report,
    Serving,
    Start,
    line,
    read_order,
    refusal,
)
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServeSettings

_LATE_S = 0.1  # for what was sent before the port closed to be read
_SWITCH_S = 0.001  # a model that loads beside shall not hold Python for longer at once


class Server(uvicorn.Server):
    """One worker's server.

    Parameters
    ----------
    start
        The parent's first order.
    listener
        The bound socket, shared with the other workers.
    control
        Where orders come from and reports go.
    """

    def __init__(self, start: Start, listener: socket.socket, control: socket.socket) -> None:
        self.settings = start.settings
        self.listener = listener
        self.control = control
        self.service = Service(max_rows=self.settings.max_rows)
        self.log = open_log(self.settings, start.worker)
        self.service.log = self.log
        self.health = None if self.log is None else self.log.health()
        self.grpc: GrpcServer | None = None
        self.app = App(self.service, self.settings)
        self.board = Board(Path(start.board), start.worker) if start.board else None
        if self.board is not None:
            self.app.others = self.board.others
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._loaded: Loaded = {}
        self._newest: Follow | None = None
        self._acceptor: Acceptor | None = None
        self._reports: asyncio.StreamWriter | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        super().__init__(_uvicorn_config(self.app, self.settings))

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end."""
        sys.setswitchinterval(_SWITCH_S)
        super().run(sockets)
        self._show_counts(is_last=True)
        if self.grpc is not None:
            self.grpc.stop()
        if self.log is not None:
            self.log.close()
        self.app.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen to the parent; the port opens on its order, or with the first model."""
        await self.lifespan.startup()
        reader, self._reports = await asyncio.open_unix_connection(
            sock=self.control, limit=MAX_LINE
        )
        self._jobs = {asyncio.create_task(self._obey(reader)), asyncio.create_task(self._beat())}
        self.started = True

    async def open(self) -> None:
        """Accept connections."""
        if self._acceptor is not None or self.service.is_leaving:
            return
        connection = bounded(self.app)

        def connect() -> asyncio.Protocol:
            return connection(config=self.config, server_state=self.server_state, app_state={})

        if self.settings.grpc_port is not None:
            allows = None if self.app.keys is None else self.app.keys.check
            loop = asyncio.get_running_loop()
            self.grpc = GrpcServer(
                self.service,
                self.settings,
                allows=allows,
                seen=lambda call: self._on_loop(loop, call),
            )
        self._acceptor = Acceptor(
            self.listener, connect, tls=self.config.ssl, is_shared=self.settings.workers > 1
        )

    def _on_loop(self, loop: asyncio.AbstractEventLoop, call: Called) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it who asks for counts
            loop.call_soon_threadsafe(self._close_call, call)

    def _close_call(self, call: Called) -> None:
        """Count a gRPC call as the application counts requests; record its span where asked."""
        route, spans = f"/{call.method}", self.app.spans
        self.app.metrics.observe(route, "POST", call.http_status, call.seconds, call.model_version)
        if spans is not None:
            spans.add_call(call)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give clients time to go elsewhere, close the port, finish what is in flight."""
        if self._acceptor is not None and self._loaded:
            await asyncio.sleep(self.settings.drain_delay_s)
        self._close_port()
        await asyncio.sleep(_LATE_S)
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finish(), self.settings.drain_timeout_s)
        for task in (*self.server_state.tasks, *self._jobs):
            task.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave on SIGTERM; the rest is for the parent to decide."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End without loss, as if the parent had said so."""
        self.service.leave()
        self.should_exit = True

    async def _obey(self, orders: asyncio.StreamReader) -> None:
        while text := await orders.readline():
            order = read_order(text)
            if isinstance(order, Follow):
                self._newest = order
                loading = asyncio.create_task(self._follow(order))
                self._jobs.add(loading)
                loading.add_done_callback(self._jobs.discard)
            elif isinstance(order, Open):
                await self.open()
            elif isinstance(order, Leave):
                self.service.leave()
                self.should_exit = True
            elif isinstance(order, Drain):
                break
        self.service.drain()  # told to, or the parent is gone
        self.should_exit = True

    async def _follow(self, order: Follow) -> None:
        """Load a state while the one before is served; states load one after the other."""
        loop = asyncio.get_running_loop()
        try:
            lineup, loaded = await loop.run_in_executor(
                self._loader, load_lineup, order.state, self.settings, self._loaded
            )
        except Exception as error:  # the parent says it, and decides
            self._report(refusal(order.generation, error))
            return
        if order is not self._newest:  # another was wanted while this one loaded
            return
        self._loaded = loaded
        is_first = self.service.state == "loading"
        self.service.follow(lineup)
        if is_first:
            gc.freeze()  # collections need not look at what stays
        await self.open()
        self._report(Serving(order.generation))

    async def _beat(self) -> None:
        while True:
            self._report(Alive())
            self._show_counts()
            await asyncio.sleep(min(0.25, self.settings.hang_timeout_s / 8))

    def _show_counts(self, *, is_last: bool = False) -> None:
        """Let other workers answer for this one, and a canary's judge see how each model does.

        Only metrics suffer where it fails.
        """
        if self.health is not None:
            with suppress(OSError):
                self.health.write(self.service.tallies, time_ns() // 1000, is_last=is_last)
        if self.board is not None:
            with suppress(OSError):
                self.board.publish(self.app.counts())

    def _report(self, report: Report) -> None:
        if self._reports is not None and not self._reports.is_closing():
            self._reports.write(line(report))

    def _close_port(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()

    async def _finish(self) -> None:
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.02)


def _uvicorn_config(app: App, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        proxy_headers=False,  # who asks is never used, and a wrapper costs time
        log_config=None,
        log_level=logging.ERROR,
        server_header=False,
        timeout_keep_alive=int(settings.idle_timeout_s),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
