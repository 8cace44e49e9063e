"""Where workers are born: without processes, and when it dies itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from drivetrain.serve import nursery
from drivetrain.serve.follow import source_of
from drivetrain.serve.listener import listen, url_of
from drivetrain.serve.settings import ServeSettings
from drivetrain.serve.supervisor import Supervisor
from drivetrain.testing.tabular_bundle import write_tabular_bundle

FORKLESS = """
import errno, os, sys
from drivetrain.serve import worker

real, tries = os.fork, []

def fork():
    tries.append(None)
    if 1 < len(tries) < 4:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
    return real()

os.fork = fork
worker.main(int(sys.argv[1]))
"""


class Running:
    """A server of one worker in a thread, so that its nursery can be another program."""

    def __init__(self, bundle: Path) -> None:
        settings = ServeSettings(port=0, drain_delay_s=0)
        self.lines: list[str] = []
        self.listener = listen(settings)
        self.url = url_of(self.listener, is_tls=False)
        source = source_of(bundle, ledger=None)
        self.supervisor = Supervisor(source, settings, self.listener, say=self.lines.append)
        self.thread = threading.Thread(target=self.supervisor.run)
        self.thread.start()
        self.wait(lambda: any("serves at" in line for line in self.lines))

    def wait(self, is_so: Callable[[], bool], timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)  # the poll of a process

    def nursery(self) -> psutil.Process:
        (found,) = (
            child
            for child in psutil.Process().children()
            if nursery._MODULE in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE
        )
        return found

    def answers(self) -> bool:
        return httpx.get(self.url + "/v2/health/ready", timeout=20).status_code == 200

    def stop(self) -> None:
        supervisor = self.supervisor
        supervisor._loop.call_soon_threadsafe(supervisor._ended.set)
        self.thread.join(30)
        self.listener.close()
        assert not self.thread.is_alive()


@pytest.fixture
def running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Running]:
    program = getattr(request, "param", None)
    if program is not None:
        (tmp_path / "forkless.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(nursery, "_MODULE", "forkless")
    write_tabular_bundle(tmp_path / "a.bundle")
    server = Running(tmp_path / "a.bundle")
    yield server
    server.stop()
    assert not any(nursery._MODULE in child.cmdline() for child in psutil.Process().children())


@pytest.mark.parametrize("running", [FORKLESS], indirect=True)
def test_without_a_process_to_be_had_it_is_said_and_tried_again(running: Running) -> None:
    (worker,) = running.nursery().children()
    worker.kill()
    running.wait(lambda: sum("no process could be made" in line for line in running.lines) == 2)
    assert "resource temporarily unavailable" in running.lines[-1]
    running.wait(lambda: len(running.nursery().children()) == 1)
    running.wait(running.answers)


def test_what_is_forked_has_no_onnxruntime_whose_thread_would_not_live_on(running: Running) -> None:
    assert "onnxruntime" not in Path(f"/proc/{running.nursery().pid}/maps").read_text()
    (worker,) = running.nursery().children()
    assert "onnxruntime" in Path(f"/proc/{worker.pid}/maps").read_text()


def test_workers_outlive_their_nursery_and_the_next_are_born_in_another(running: Running) -> None:
    first = running.nursery()
    (worker,) = first.children()
    first.kill()
    first.wait(10)
    assert worker.is_running() and running.answers()
    worker.kill()
    running.wait(lambda: any("starting another" in line for line in running.lines))
    running.wait(running.answers)
    assert running.nursery().pid != first.pid
