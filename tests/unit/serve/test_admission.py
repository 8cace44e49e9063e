"""Places, turns and deadlines."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drivetrain.serve.admission import BURST, Admission, TooLate
from drivetrain.serve.app import App
from drivetrain.serve.protocol import Protocol, Reply, Request, Route
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient, Response


class Gate(Protocol):
    """Answers when the gate is open."""

    title = "gate"

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.handled = 0
        self.routes = (Route("POST", "/gate", self.handle), Route("GET", "/health", self.health))

    def handle(self, request: Request, service: Service) -> Reply:
        self.begun.release()
        assert self.gate.wait(20)
        self.handled += 1
        return Reply(b"{}")

    def health(self, request: Request, service: Service) -> Reply:
        return Reply(b"{}")

    def error(self, status: int, line: str) -> bytes:
        return line.encode()


def serving(gate: Gate, **settings: float) -> App:
    chosen = ServeSettings(inline_bytes=0, **settings)  # type: ignore[arg-type]
    return App(Service(), chosen, protocols={"gate": gate})


async def ask(client: AsgiClient, method: str = "POST", path: str = "/gate") -> Response:
    headers = {"content-type": "application/json"}
    return await client._ask(method, path, b"{}" if method == "POST" else b"", headers, 1)


def test_a_request_without_a_place_is_503_and_health_needs_none() -> None:
    gate = Gate()
    app = serving(gate, max_in_flight=2, threads=2)

    async def crowd(client: AsgiClient) -> None:
        placed = [asyncio.create_task(ask(client)) for _ in range(2)]
        for _ in placed:
            assert await asyncio.to_thread(gate.begun.acquire, timeout=10)
        refused = await ask(client)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert b"DT324" in refused.body
        assert (await ask(client, "GET", "/health")).status == 200
        gate.gate.set()
        assert [(await task).status for task in placed] == [200, 200]
        assert (await ask(client)).status == 200

    with AsgiClient(app) as client:
        client._runner.run(crowd(client))
    assert (app.admission.queued, app.admission.running) == (0, 0)


def test_past_its_deadline_a_request_is_504_and_never_run() -> None:
    gate = Gate()
    app = serving(gate, threads=1, deadline_s=0.05)

    async def crowd(client: AsgiClient) -> None:
        replies = await asyncio.gather(*(ask(client) for _ in range(3)))
        assert [reply.status for reply in replies] == [504] * 3
        assert b"DT325" in replies[0].body
        assert app.admission.running == 3  # the thread is held still, and so are their places
        gate.gate.set()
        while app.admission.running:
            await asyncio.sleep(0)

    with AsgiClient(app) as client:
        client._runner.run(crowd(client))
    assert gate.handled == 1
    assert app.admission.late == 3


def test_between_turns_the_event_loop_reads() -> None:
    """Of many small requests that came at once, none keeps a later one's refusal waiting."""
    order = []

    async def request(admission: Admission, number: int) -> None:
        if not admission.has_turn():
            await admission.turn(asyncio.get_running_loop().time() + 1e9)
        order.append(number)
        end = asyncio.get_running_loop().time() + 0.001
        while asyncio.get_running_loop().time() < end:
            pass

    async def crowd() -> None:
        admission = Admission(100, 10.0)
        tasks = [asyncio.create_task(request(admission, number)) for number in range(20)]
        while not order:
            await asyncio.sleep(0)
        assert len(order) < 20
        order.append(-1)  # what the loop does beside
        await asyncio.gather(*tasks)

    asyncio.run(crowd())
    assert [number for number in order if number >= 0] == list(range(20))
    assert order.index(-1) < 10


def test_who_waited_for_a_turn_past_the_deadline_is_told() -> None:
    async def late() -> None:
        admission = Admission(10, 0.0)
        assert admission.has_turn()
        with pytest.raises(TooLate):
            admission.check(0.0)
        assert admission.late == 1

    asyncio.run(late())


def test_refusals_beyond_the_budget_pause_their_connections() -> None:
    admission = Admission(1, 1.0)
    pauses = [admission.refuse() for _ in range(20 * BURST)]
    assert pauses[: BURST // 2] == [0.0] * (BURST // 2)
    assert pauses[-1] == 1.0
    assert admission.refused == 20 * BURST
