"""More requests than the server takes on: refusals at once, no harm to the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

from drivetrain.runtime.model import Model
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle
from drivetrain.testing.traffic import Traffic

pytestmark = pytest.mark.xdist_group("serving processes")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("overload") / "tabular.bundle"
    write_tabular_bundle(path)
    return path


@pytest.fixture(scope="module")
def body(bundle: Path) -> bytes:
    rows = tabular_rows(Model.load(bundle, threads=1).contract, 100)
    return msgspec.json.encode({"dataframe_records": rows})


@pytest.fixture
def server(bundle: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(bundle, max_in_flight=2, drain_delay_s=0)
    yield running
    assert running.stop() == 0


def test_overload_is_503_and_the_server_goes_on(server: ServerProcess, body: bytes) -> None:
    with (
        Traffic(server.host, server.port, "/invocations", body, clients=30) as asking,
        httpx.Client(base_url=server.url) as probe,
    ):
        for _ in range(20):
            asking.wait_for(100)
            assert probe.get("/v2/health/ready").status_code == 200
            assert probe.get("/ping").status_code == 200
    counts = Counter(one.status for one in asking.between(0))
    assert set(counts) == {200, 503}
    assert counts[200] > 100
    with httpx.Client(base_url=server.url) as client:  # and nothing of it stays
        for _ in range(10):
            assert client.post("/invocations", content=body).status_code == 200


def test_a_kept_connection_survives_its_refusal(server: ServerProcess, body: bytes) -> None:
    """Refused requests leave nothing of their bodies behind in the stream."""

    def ask(_: int) -> Counter[int]:
        found: Counter[int] = Counter()
        with httpx.Client(base_url=server.url) as client:
            for _ in range(60):
                reply = client.post("/invocations", content=body)
                found[reply.status_code] += 1
                if reply.status_code == 503:
                    assert reply.headers["retry-after"] == "1"
                    assert reply.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
                else:
                    assert len(reply.json()["predictions"]) == 100
        return found

    with ThreadPoolExecutor(16) as pool:
        counts = sum(pool.map(ask, range(16)), Counter[int]())
    assert set(counts) == {200, 503}


def test_a_large_body_that_is_refused_closes_its_connection(
    server: ServerProcess, body: bytes
) -> None:
    """The port answers before the body has come, and reads no more of it."""
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"
    with Traffic(server.host, server.port, "/invocations", body, clients=30) as asking:
        for _ in range(200):
            with server.connect() as connection:
                connection.settimeout(0.05)
                connection.sendall(head)
                try:
                    reply = connection.recv(65536)
                except TimeoutError:  # it had a place, and its body is waited for
                    continue
                break
        assert reply.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in reply
        asking.wait_for(20)
    assert {one.status for one in asking.between(0)} == {200, 503}
