"""Workers that die, hang, are rolled and drained, under traffic."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from drivetrain.runtime.model import Model
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle
from drivetrain.testing.traffic import Traffic

IS_PROOF = os.environ.get("DRIVETRAIN_PROVE") == "1"
RESTARTS = 100 if IS_PROOF else 1
PAUSE_S = 0.01 if IS_PROOF else 0.001  # constant load, not all that the machine can do
pytestmark = pytest.mark.xdist_group("serving processes")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("workers") / "tabular.bundle"
    write_tabular_bundle(path)
    return path


@pytest.fixture(scope="module")
def body(bundle: Path) -> bytes:
    rows = tabular_rows(Model.load(bundle, threads=1).contract, 1)
    return msgspec.json.encode({"dataframe_records": rows})


@pytest.fixture
def server(bundle: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(bundle, workers=2, drain_delay_s=0.2, hang_timeout_s=2.0)
    yield running
    assert running.stop() == 0
    assert not any("terminate called" in line for line in running.lines)  # by a library's thread


def traffic(server: ServerProcess, body: bytes, **more: object) -> Traffic:
    return Traffic(server.host, server.port, "/invocations", body, **more)  # type: ignore[arg-type]


def told(asking: Traffic) -> None:
    requests, failed = len(asking.between(0)), len(asking.failures())
    print(f"{RESTARTS} restarts, {requests} requests, {failed} failed")


def wait_until(
    is_so: Callable[[], bool], timeout_s: float = 30.0, told: Sequence[str] = ()
) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"it did not come so: {told}"
        time.sleep(0.01)  # the poll of a process, not a guess of how long it takes


def has_replaced(server: ServerProcess, process: psutil.Process) -> bool:
    pids = [worker.pid for worker in server.workers()]
    return process.pid not in pids and len(pids) == 2


def test_the_parent_runs_no_model_and_keeps_the_socket(server: ServerProcess) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "onnxruntime" not in maps
    assert "numpy" not in maps
    assert len(server.workers()) == 2
    listening = {
        connection.laddr.port
        for connection in psutil.Process(server.process.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {server.port}


def test_a_burst_of_connections_is_shared_by_the_workers(server: ServerProcess) -> None:
    # beside other work the system may let one worker sleep through a whole burst, but not through
    # one after the other
    assert any(min(burst(server)) >= 4 for _ in range(5))


def burst(server: ServerProcess) -> list[int]:
    """Make 40 connections that are all answered; return how many of them each worker holds."""
    connections = [server.connect() for _ in range(40)]
    for connection in connections:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    held = [
        sum(one.status == psutil.CONN_ESTABLISHED for one in worker.net_connections("tcp"))
        for worker in server.workers()
    ]
    for connection in connections:
        connection.close()
    assert sum(held) >= 40  # some of the burst before may not be gone yet
    return held


def test_a_killed_worker_takes_only_its_own_requests(server: ServerProcess, body: bytes) -> None:
    with traffic(server, body, clients=6, pause_s=0.002) as asking:
        asking.wait_for(100)
        victim = server.workers()[0]
        began = asking.mark()
        victim.kill()
        wait_until(lambda: has_replaced(server, victim))
        asking.wait_for(50)
        replaced = asking.mark()
        asking.wait_for(200)
    failures = asking.failures(began, replaced)
    assert len(failures) <= 6  # at most what was on the wire to the victim
    assert all(failure.status == 0 for failure in failures)
    assert all(one.ended_s - one.began_s < 5 for one in asking.between(began))
    assert asking.failures(0, began) == []
    assert asking.failures(replaced) == []


def test_a_worker_that_hangs_is_killed_and_replaced(server: ServerProcess, body: bytes) -> None:
    victim = server.workers()[1]
    with traffic(server, body, reconnects=True, pause_s=0.005) as asking:
        victim.suspend()
        wait_until(lambda: has_replaced(server, victim))
        server.wait_for_line("hangs")
        replaced = asking.mark()
        asking.wait_for(100)
    assert asking.failures(replaced) == []
    assert max(one.ended_s - one.began_s for one in asking.between(0)) < 10


def test_a_server_frozen_with_all_its_workers_goes_on_as_if_nothing_had_been(
    server: ServerProcess, body: bytes
) -> None:
    """As a machine that was paused: nobody was silent while the parent did not count."""
    parent = psutil.Process(server.process.pid)
    every = [parent, *parent.children(recursive=True)]
    before = [worker.pid for worker in server.workers()]
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert client.post("/invocations", content=body).status_code == 200
        for process in every:
            process.suspend()
        time.sleep(30.0 if IS_PROOF else 3.0)  # longer than hang_timeout_s: the fault itself
        for process in every:
            process.resume()
        assert client.post("/invocations", content=body).status_code == 200
        for _ in range(30):  # three seconds of ticks in which a false alarm would be raised
            assert client.get("/v2/health/ready").status_code == 200
            time.sleep(0.1)
    assert [worker.pid for worker in server.workers()] == before
    assert not any("hangs" in line for line in server.lines)


@pytest.mark.parametrize("reconnects", [False, True], ids=["kept", "new connections"])
def test_sighup_replaces_every_worker_and_no_request_fails(
    server: ServerProcess, body: bytes, reconnects: bool
) -> None:
    before = {worker.pid for worker in server.workers()}
    rolled = "all workers are replaced"
    with (
        traffic(server, body, reconnects=reconnects, pause_s=PAUSE_S) as asking,
        httpx.Client(base_url=server.url) as probe,
    ):
        for count in range(1, RESTARTS + 1):
            server.process.send_signal(signal.SIGHUP)
            while sum(rolled in line for line in server.lines) < count:
                assert probe.get("/v2/health/ready").status_code == 200
                with suppress(AssertionError):
                    server.wait_for_line(rolled, count=count, timeout_s=0.1)
            now = {worker.pid for worker in server.workers()}
            assert len(now) == 2 and not now & before
            before = now
        asking.wait_for(50)
    told(asking)
    assert asking.failures() == []
    assert len(asking.between(0)) > 100 * RESTARTS


def test_servers_ended_and_begun_in_turn_lose_nothing(bundle: Path, body: bytes) -> None:
    """Two of them, as behind a balancer: SIGTERM to one, which is begun again, then the other."""
    settings = {"workers": 1, "drain_delay_s": 0.3}
    servers = [ServerProcess(bundle, **settings) for _ in range(2)]
    others = [(servers[1].host, servers[1].port)]
    with traffic(servers[0], body, others=others, pause_s=PAUSE_S) as asking:
        for turn in range(RESTARTS + 1):
            port = servers[turn % 2].port
            assert servers[turn % 2].stop() == 0
            servers[turn % 2] = ServerProcess(bundle, port=port, **settings)
        asking.wait_for(50)
    told(asking)
    for server in servers:
        assert server.stop() == 0
    assert asking.failures() == []


def test_sigterm_under_load_answers_everything_it_accepted(bundle: Path, body: bytes) -> None:
    running = ServerProcess(bundle, workers=2, drain_delay_s=2.0)
    with (
        traffic(running, body, clients=6, pause_s=0.002) as asking,
        httpx.Client(base_url=running.url) as probe,
    ):
        asking.wait_for(100)
        assert probe.get("/v2/health/ready").status_code == 200
        silent = running.connect()  # connected, says nothing until after the signal
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: probe.get("/v2/health/ready").status_code == 503)
        silent.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert silent.recv(65536).startswith(b"HTTP/1.1 200 ")
        silent.close()
        assert running.process.wait(timeout=30) == 0
    assert running.stop() == 0
    failures = asking.failures()
    assert failures  # once the port is closed
    refused = ("ConnectionRefusedError", "ConnectionResetError")
    assert all(failure.failure.startswith(refused) for failure in failures), failures[:3]


def test_a_parent_that_is_killed_leaves_no_worker_behind(bundle: Path) -> None:
    running = ServerProcess(bundle, workers=2, drain_delay_s=0.1)
    workers = running.workers()
    assert running.stop(signal.SIGKILL) == -signal.SIGKILL
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


def test_a_worker_that_cannot_start_again_is_tried_again_and_again(
    bundle: Path, body: bytes, tmp_path: Path
) -> None:
    """The bundle is broken behind the server's back: no request hangs, and a repair heals it."""
    copy = tmp_path / "copy.bundle"
    write_tabular_bundle(copy)
    running = ServerProcess(copy, workers=1, drain_delay_s=0)
    manifest = copy / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:100])
    running.workers()[0].kill()
    running.wait_for_line("worker 0:")
    with httpx.Client(base_url=running.url, timeout=20) as client:
        reply = client.post("/invocations", content=body)
        assert reply.status_code == 503
        assert reply.headers["retry-after"]
        assert client.get("/v2/health/live").status_code == 200
        assert client.get("/v2/health/ready").status_code == 503
        manifest.write_bytes(whole)
        wait_until(lambda: client.get("/v2/health/ready").status_code == 200)
        assert client.post("/invocations", content=body).status_code == 200
    assert running.stop() == 0


def test_sighup_with_a_bundle_that_broke_keeps_the_old_workers(body: bytes, tmp_path: Path) -> None:
    copy = tmp_path / "copy.bundle"
    write_tabular_bundle(copy)
    running = ServerProcess(copy, workers=2, drain_delay_s=0)
    before = {worker.pid for worker in running.workers()}
    manifest = copy / "manifest.json"
    whole = manifest.read_bytes()
    with traffic(running, body) as asking:
        manifest.write_bytes(whole[:100])
        running.process.send_signal(signal.SIGHUP)
        running.wait_for_line("worker 0 stays")
        wait_until(lambda: {worker.pid for worker in running.workers()} == before)
        manifest.write_bytes(whole)
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & {worker.pid for worker in running.workers()})
    assert asking.failures() == []
    assert running.stop() == 0


def test_a_second_interrupt_ends_at_once(bundle: Path) -> None:
    running = ServerProcess(bundle, drain_delay_s=60.0)
    running.process.send_signal(signal.SIGINT)
    with httpx.Client(base_url=running.url) as client:
        wait_until(lambda: client.get("/v2/health/ready").status_code == 503)
    assert running.stop(signal.SIGINT) == 0
