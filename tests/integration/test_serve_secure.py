"""A real server under TLS with keys, and one that is asked by clients who mean no good."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from drivetrain.core.contract import Contract
from drivetrain.serve.auth import make_key
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

PROVES = bool(os.environ.get("DRIVETRAIN_PROVE"))
pytestmark = pytest.mark.xdist_group("serving processes")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contract]:
    folder = tmp_path_factory.mktemp("secure") / "tabular.bundle"
    return folder, write_tabular_bundle(folder).contract


@pytest.fixture(scope="module")
def server(bundle: tuple[Path, Contract]) -> Iterator[ServerProcess]:
    running = ServerProcess(bundle[0], drain_delay_s=0.0, header_timeout_s=2.0, body_timeout_s=2.0)
    yield running
    assert running.stop() == 0


def test_tls_and_keys_protect_a_server(bundle: tuple[Path, Contract], tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    secret, line = make_key(["predict"])
    keys = tmp_path / "keys"
    keys.write_text(line)
    running = ServerProcess(
        bundle[0], tls_certificate=str(certificate), tls_key=str(key), keys=str(keys),
        drain_delay_s=0.0,
    )  # fmt: skip
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        url = running.url.replace("http://", "https://")
        rows = {"dataframe_records": tabular_rows(bundle[1], 2)}
        with httpx.Client(verify=context, base_url=url) as client:
            assert client.get("/v2/health/ready").status_code == 200
            assert client.post("/invocations", json=rows).status_code == 401
            headers = {"authorization": f"Bearer {secret}"}
            assert client.post("/invocations", json=rows, headers=headers).status_code == 200
            assert client.get("/metrics", headers=headers).status_code == 403
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https", "http") + "/v2/health/live")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url + "/v2/health/live")  # whose certificate nobody vouches for
    finally:
        assert running.stop() == 0
    assert secret not in "".join(running.lines)


def test_idle_and_slow_clients_hold_up_no_one(server: ServerProcess) -> None:
    count = 1000 if PROVES else 100
    idle = [server.connect() for _ in range(count)]
    slow = [server.connect() for _ in range(count)]
    for connection in slow:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    for _ in range(20):
        assert httpx.get(f"{server.url}/v2/health/ready", timeout=5).status_code == 200
    for connection in (*idle, *slow):  # each is disconnected in its time
        connection.settimeout(20)
        assert not connection.recv(4096)
        connection.close()
    assert httpx.get(f"{server.url}/v2/health/ready").status_code == 200


def test_many_small_chunks_cost_no_memory_for_good(server: ServerProcess) -> None:
    worker = server.workers()[-1]
    chunks = b"1\r\n \r\n" * (1_000_000 if PROVES else 20_000)
    head = (
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )

    def abuse(times: int) -> None:
        for _ in range(times):
            with server.connect() as connection:
                connection.sendall(head + chunks + b"0\r\n\r\n")
                assert connection.recv(4096).split()[1] in (b"400", b"413")

    abuse(10)  # until the allocator has what it keeps
    before = worker.memory_info().rss
    abuse(100 if PROVES else 20)
    assert worker.memory_info().rss - before < 1 << 20


@pytest.mark.parametrize(
    ("request_bytes", "statuses"),
    [
        (b"GET /v2/health/live HTTP/1.0\r\n\r\n", {b"200"}),
        (b"GET /v2/health/live HTTP/1.1\r\n\r\n", {b"200", b"400"}),
        (b"GET http://a/v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n", {b"200", b"404"}),
        (b"GET //v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n", {b"404"}),
        (b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", {b"404"}),
        (b"GET /..%5c..%2fetc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", {b"404"}),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {b"400", b"404", b"405"}),
    ],
)
def test_odd_but_legal_http_is_answered_or_refused(
    server: ServerProcess, request_bytes: bytes, statuses: set[bytes]
) -> None:
    with server.connect() as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        reply = connection.recv(65536)
    assert reply.split()[1] in statuses
