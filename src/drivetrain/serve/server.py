"""One server process: the socket, the model's loading, signals, and the way out.

The socket is bound first, so that a taken port is one line and not a failed start; then uvicorn
runs and answers that it lives but is not ready, while a thread loads and tries the model. On
SIGTERM or SIGINT readiness turns false, and for ``drain_delay_s`` requests are answered with
``Connection: close`` so that clients and load balancers go elsewhere; then the port closes, what
is in flight is finished, and the process ends with status 0.

:func:`listen` and :class:`Server` are apart so that a parent process can own the socket of many.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from drivetrain.core.errors import ResourceError
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.runtime.vectors import check_vectors
from drivetrain.serve.app import App
from drivetrain.serve.connection import bounded
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings

_BACKLOG = 2048


def run(bundle: str | Path, settings: ServeSettings) -> None:
    """Serve a bundle until SIGTERM or SIGINT.

    Prints one line with the URL to standard error when the server is ready.

    Raises
    ------
    ResourceError
        If the port is taken or may not be used.
    BundleError
        If the bundle cannot be loaded, or does not answer its own vectors.
    """
    listener = listen(settings)
    with listener:
        Server(bundle, settings, listener).run()


def listen(settings: ServeSettings) -> socket.socket:
    """Bind the socket.

    Raises
    ------
    ResourceError
        If the address cannot be had.
    """
    try:
        address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(address[0], socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address[4])
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ResourceError(
            where=f"{settings.host}:{settings.port}",
            expected="an address to listen on",
            got=(error.strerror or str(error)).lower(),
            remedy="Choose another with --host and --port; port 0 takes a free one.",
            code="DT322",
        ) from error
    listener.setblocking(False)
    return listener


class Server(uvicorn.Server):
    """uvicorn with a model that loads behind it, and a way out that loses nothing.

    Parameters
    ----------
    bundle
        The folder to load once the server lives.
    listener
        The bound socket; closed when the server ends.
    announce
        Told the URL once the server is ready; standard error if not given.
    """

    def __init__(
        self,
        bundle: str | Path,
        settings: ServeSettings,
        listener: socket.socket,
        *,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        self.bundle = bundle
        self.settings = settings
        self.listener = listener
        self.service = Service(max_rows=settings.max_rows)
        self.app = App(self.service, settings)
        self.failure: Exception | None = None
        self._announce = announce or _print_url
        self._loading: asyncio.Task[None] | None = None
        super().__init__(_uvicorn_config(self.app, settings))

    @property
    def url(self) -> str:
        """Where clients reach the server."""
        host, port = self.listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes; raise what made loading fail."""
        super().run(sockets or [self.listener])
        self.app.close()
        if self.failure is not None:
            raise self.failure

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for requests, and begin to load the model."""
        await super().startup(sockets)
        self._loading = asyncio.create_task(self._load())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Turn readiness off, give clients time to see it, then finish what is in flight."""
        was_ready = self.service.is_ready
        self.service.drain()
        if was_ready and not self.force_exit:
            await asyncio.sleep(self.settings.drain_delay_s)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGTERM and SIGINT; unlike uvicorn, don't raise them anew at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may handle signals
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at once; a second SIGINT ends without waiting."""
        self.service.drain()
        super().handle_exit(sig, frame)

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        url = self.url
        try:
            served = await loop.run_in_executor(None, load, self.bundle, self.settings)
        except Exception as error:  # raised again by run(), when the server has ended
            self.failure = error
            self.should_exit = True
            return
        self.service.swap(served)
        gc.freeze()  # collections need not look at what stays
        if self.service.is_ready:
            self._announce(url)


def load(bundle: str | Path, settings: ServeSettings) -> Served:
    """Read a bundle, and let the model answer its own vectors.

    Raises
    ------
    BundleError
        If it is absent, changed, or answers otherwise than when it was made.
    """
    found = read_bundle(bundle)
    model = Model(found, threads=settings.threads)
    check_vectors(found, model)
    return Served(model, name=settings.model_name)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _uvicorn_config(app: App, settings: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=bounded(settings),
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        log_level=logging.ERROR,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=int(settings.idle_timeout_s),
        timeout_graceful_shutdown=int(settings.drain_timeout_s) or 1,
    )


def _print_url(url: str) -> None:
    sys.stderr.write(f"drivetrain serves at {url}\n")
    sys.stderr.flush()
