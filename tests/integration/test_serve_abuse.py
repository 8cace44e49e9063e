"""Memory, descriptors and places of a server whose clients mean no good: all come back."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

PROVES = bool(os.environ.get("DRIVETRAIN_PROVE"))
ROUNDS = 100 if PROVES else 20
pytestmark = pytest.mark.xdist_group("serving processes")
IDLE, DESCRIPTORS = (10_000, 9_000) if PROVES else (300, 128)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close is a reset


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("abuse") / "tabular.bundle"
    write_tabular_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(
        bundle, drain_delay_s=0.0, header_timeout_s=2.0, body_timeout_s=2.0, max_body_bytes=1 << 20
    )
    yield running
    assert running.stop() == 0


def asking(bundle: Path, rows: int) -> bytes:
    from drivetrain.runtime.bundle import read_bundle

    contract = read_bundle(bundle).manifest.contract
    body = msgspec.json.encode({"dataframe_records": tabular_rows(contract, rows)})
    head = f"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def in_flight(server: ServerProcess) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return float(found["drivetrain_requests_in_flight"]) + float(
        found["drivetrain_requests_queued"]
    )


def leave_without_reading(server: ServerProcess, request: bytes) -> None:
    """Send many requests on one connection, read nothing of the answers, and reset it."""
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            for _ in range(2000):
                connection.sendall(request)


def leave_at_once(server: ServerProcess, request: bytes) -> None:
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(request)


def leave_half_way(server: ServerProcess, request: bytes) -> None:
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.sendall(request[: len(request) // 2])


def send_too_much(server: ServerProcess, request: bytes) -> None:
    """Send a chunked body beyond the limit, until the server answers or closes."""
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(head)
        for _ in range(40):
            connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


ABUSES = {
    "answers that nobody reads": leave_without_reading,
    "clients that leave at once": leave_at_once,
    "clients that leave half way": leave_half_way,
    "bodies beyond the limit": send_too_much,
}


@pytest.mark.parametrize("name", ABUSES)
def test_abuse_costs_no_memory_for_good_and_holds_up_no_one(
    server: ServerProcess, bundle: Path, name: str
) -> None:
    abuse = ABUSES[name]
    request = asking(bundle, 20)
    worker = server.workers()[-1]
    for _ in range(10):  # until the allocator has what it keeps
        abuse(server, request)
    before = worker.memory_info().rss
    for _ in range(ROUNDS):
        abuse(server, request)
        assert httpx.get(f"{server.url}/v2/health/ready", timeout=5).status_code == 200
    grown = worker.memory_info().rss - before
    print(f"{name}: {ROUNDS} times, {grown / 1024:.0f} KiB more")
    assert grown < 1 << 20
    for _ in range(500):
        if in_flight(server) == 0:
            break
        threading.Event().wait(0.02)
    assert in_flight(server) == 0


def test_a_server_without_descriptors_sheds_and_recovers(bundle: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))  # the server inherits it
    try:
        server = ServerProcess(bundle, drain_delay_s=0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * IDLE, hard), hard))
    worker = server.workers()[-1]
    request = asking(bundle, 1)
    idle = [server.connect() for _ in range(IDLE)]  # the kernel takes what the worker cannot
    used_s = sum(worker.cpu_times()[:2])
    threading.Event().wait(1.0)
    assert sum(worker.cpu_times()[:2]) - used_s < 0.5  # it does not spin on accept
    idle[0].sendall(request)
    assert idle[0].recv(4096).startswith(b"HTTP/1.1 200")
    for connection in idle:
        connection.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert httpx.get(f"{server.url}/v2/health/ready", timeout=10).status_code == 200
    assert worker.pid == server.workers()[-1].pid
    assert server.stop() == 0
