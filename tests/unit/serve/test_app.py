"""HTTP's own part: routes that collide, clients that leave, threads, long lines."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drivetrain.core.errors import RequestError, SettingError, UnknownNameError
from drivetrain.serve.app import App
from drivetrain.serve.protocol import PROTOCOLS, Protocol, Reply, Request, Route
from drivetrain.serve.routing import RoutingTable
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.protocols import line_of


class Probe(Protocol):
    title = "probe"

    def __init__(self, pattern: str = "/probe/{thing}") -> None:
        self.seen: list[tuple[str, str]] = []
        self.routes = (Route("POST", pattern, self.handle),)

    def handle(self, request: Request, service: Service) -> Reply:
        self.seen.append((request.names["thing"], threading.current_thread().name))
        return Reply(b"{}")

    def error(self, status: int, line: str) -> bytes:
        return b'{"told": "' + line.replace('"', "'").encode() + b'"}'


def test_two_protocols_may_not_claim_one_route() -> None:
    with pytest.raises(SettingError, match="different routes"):
        RoutingTable({"a": Probe(), "b": Probe("/probe/{other}")})


def test_the_shipped_protocols_do_not_collide() -> None:
    assert len(list(RoutingTable(PROTOCOLS.load_all()).methods())) >= 14


def test_a_name_in_a_path_is_decoded_once_and_holds_no_slash() -> None:
    table = RoutingTable({"probe": Probe()})
    assert table.find("POST", "/probe/a%2Fb%2520")[2] == {"thing": "a/b%20"}
    for path in ("/probe/", "/probe/a/b", "/probe", "//probe/a", "/probe/a/"):
        with pytest.raises(UnknownNameError):
            table.find("POST", path)
    with pytest.raises(RequestError):
        table.find("GET", "/probe/a")


def test_remembered_paths_are_bounded() -> None:
    table = RoutingTable({"probe": Probe()})
    for number in range(1000):
        table.find("POST", f"/probe/{number}")
    assert len(table._known) <= 256


def test_small_bodies_are_answered_inline_and_large_ones_by_threads() -> None:
    probe = Probe()
    settings = ServeSettings(inline_bytes=10)
    with AsgiClient(App(Service(), settings, protocols={"probe": probe})) as client:
        assert client.post("/probe/small", b"1" * 10).status == 200
        assert client.post("/probe/large", b"1" * 11).status == 200
    (small, inline), (large, thread) = probe.seen
    assert (small, inline) == ("small", threading.current_thread().name)
    assert large == "large"
    assert thread.startswith("predict")


def test_a_client_that_leaves_gets_no_answer() -> None:
    probe = Probe()
    app = App(Service(), ServeSettings(), protocols={"probe": probe})
    sent: list[object] = []
    messages = [
        {"type": "http.request", "body": b"1", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "raw_path": b"/probe/a", "headers": []}
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    assert (sent, probe.seen) == ([], [])


def test_an_unknown_path_is_404_and_not_repeated() -> None:
    with AsgiClient(App(Service(), ServeSettings(), protocols={"probe": Probe()})) as client:
        reply = client.get("/etc/passwd")
        assert reply.status == 404
        assert "passwd" not in line_of(reply)
        assert client.app.service.errors == {"DT253": 1}
