"""Requests that a connection lines up for a turn of the worker's time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import perf_counter

import uvicorn
from uvicorn.server import ServerState

from drivetrain.serve.admission import TURN_S
from drivetrain.serve.app import App
from drivetrain.serve.connection import BoundedConnection, bounded
from drivetrain.serve.protocol import Protocol, Reply, Request, Route
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServeSettings


class Echo(Protocol):
    title = "echo"

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.routes = (Route("POST", "/echo", self.handle),)

    def handle(self, request: Request, service: Service) -> Reply:
        self.seen.append(request.body)
        return Reply(request.body)

    def error(self, status: int, line: str) -> bytes:
        return line.encode()


class Running:
    """An application behind a real socket."""

    def __init__(self, *, idle_s: int = 5, **settings: float) -> None:
        self.idle_s = idle_s
        self.echo = Echo()
        chosen = ServeSettings(**settings)  # type: ignore[arg-type]
        self.app = App(Service(), chosen, protocols={"echo": self.echo})
        self.connections: list[BoundedConnection] = []

    def _connect(self) -> BoundedConnection:
        config = uvicorn.Config(
            self.app, lifespan="off", log_config=None, timeout_keep_alive=self.idle_s
        )
        config.load()
        made = bounded(self.app)(config=config, server_state=ServerState(), app_state={})
        self.connections.append(made)
        return made

    def put_before(self, call: Callable[[], None]) -> None:
        """Let something have its turn just before the next request that lines up."""

        def wait() -> None:
            if self.app.admission.queued:
                call()
            else:
                self.app.admission.line_up(wait)

        self.app.admission.line_up(wait)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        server = await asyncio.get_running_loop().create_server(self._connect, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.close()
            self.app.close()


def request(number: int) -> bytes:
    return b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n%d" % number


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(test(), 20)

    asyncio.run(limited())


def test_requests_that_wait_for_a_turn_are_answered_in_their_order() -> None:
    """Also those that one client sends without waiting for the answers before."""
    running = Running()

    async def test() -> None:
        async with running.open() as (reader, writer):
            for _ in range(2):  # the second time the connection is known to pipeline
                running.put_before(lambda: None)  # someone is before them
                writer.write(b"".join(map(request, range(5))))
                assert [await answer(reader) for _ in range(5)] == [
                    (200, b"%d" % number) for number in range(5)
                ]

    run(test)
    assert running.app.admission.queued == running.app.admission.running == 0


def test_past_its_deadline_a_request_in_line_is_504_and_not_run() -> None:
    running = Running(deadline_s=1e-9)

    async def test() -> None:
        async with running.open() as (reader, writer):
            running.put_before(lambda: None)
            writer.write(request(1))
            status, line = await answer(reader)
            assert status == 504
            assert b"DT325" in line

    run(test)
    assert (running.echo.seen, running.app.admission.late) == ([], 1)


def test_a_client_that_leaves_the_line_gives_its_place_back() -> None:
    running = Running()
    queued = []

    def leave() -> None:
        queued.append(running.app.admission.queued)
        running.connections[0].transport.abort()
        until_s = perf_counter() + 2 * TURN_S
        while perf_counter() < until_s:  # the turn ends before the request's own
            pass

    async def test() -> None:
        async with running.open() as (reader, writer):
            running.put_before(leave)
            writer.write(request(1))
            with suppress(ConnectionError):
                assert await reader.read() == b""
            while running.app.admission.queued:
                await asyncio.sleep(0)

    run(test)
    assert queued == [1]
    assert running.echo.seen == []


def test_a_server_that_ends_answers_who_is_in_line() -> None:
    running = Running()

    async def test() -> None:
        async with running.open() as (reader, writer):
            running.put_before(running_ends)
            writer.write(request(7))
            assert await answer(reader) == (200, b"7")
            assert await reader.read() == b""

    def running_ends() -> None:
        running.app.service.leave()
        running.connections[0].shutdown()

    run(test)
    assert running.app.admission.queued == 0


def test_a_connection_that_idles_is_closed_and_one_that_asks_is_kept() -> None:
    running = Running(idle_s=1)

    async def test() -> None:
        async with running.open() as (reader, writer):
            began_s = perf_counter()
            while perf_counter() - began_s < 1.2:
                writer.write(request(3))
                assert await answer(reader) == (200, b"3")
            last_s = perf_counter()
            assert await reader.read() == b""
            assert perf_counter() - last_s > 0.9

    run(test)
