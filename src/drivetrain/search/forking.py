"""Workers that are forked: for each family a foreman, a process that has imported its libraries.

Foremen import side by side and beside the jobs that run: in one process for all families, fitting
stood still for as long as torch or scikit-learn took to import, seconds of every run.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from drivetrain.core.machine import own_memory_bytes
from drivetrain.search.fit import FoldJob

RECENT = 6  # jobs by which it is told how busy the machine is,
LEAST_WORK_S = 0.5  # with so much work at least


@dataclass(frozen=True)
class Ended:
    """A job that is over: ``status`` is its exit status, or minus the signal that killed it."""

    number: int
    status: int


class Foreman:
    """The run's handle on one process of ``worker.py``."""

    def __init__(self, threads: int) -> None:
        self.running: dict[int, float | None] = {}  # job -> when it was seen to run
        self.is_loading = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "drivetrain.search.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(threads),
            start_new_session=True,  # Ctrl-C goes to the run, which closes its crew
            bufsize=0,
        )
        self._unread = b""

    @property
    def is_dead(self) -> bool:
        """Whether the process has ended, by itself or by somebody."""
        return self.process.poll() is not None

    def tell(self, command: dict[str, Any]) -> None:
        """Write a command; one that a dead foreman gets is reported by the next read."""
        if self.process.stdin is None:
            return
        try:
            self.process.stdin.write(msgspec.json.encode(command) + b"\n")
        except BrokenPipeError:
            return

    def news(self) -> list[dict[str, int]]:
        """Return what it has said since the last call; of a dead one, that all its jobs ended."""
        if self.process.stdout is None:
            return []
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        if not data:
            self.is_loading = False
            return [{"ended": number, "status": -9, "work_ms": 0} for number in self.running]
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [msgspec.json.decode(line) for line in lines]

    def close(self) -> None:
        """End it, and with it every child."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Forking:
    """A foreman for each family that has been asked for; started again should it die."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._foremen: dict[str, Foreman] = {}
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self._loaded_at = 0.0  # when the last foreman had imported its libraries

    def load(self, family: str) -> None:
        """Import a family's libraries, beside the jobs that run, before its first job comes."""
        if family not in self._foremen:
            foreman = self._foreman(family)
            foreman.is_loading = True
            foreman.tell({"load": family})

    def start(self, number: int, job: FoldJob) -> None:
        """Start a job; a dead foreman is replaced first."""
        foreman = self._foreman(job.recipe.family)
        foreman.running[number] = None
        foreman.tell({"run": number, "job": msgspec.to_builtins(job)})

    def began(self, number: int) -> float | None:
        """Return when the foreman said that it had forked."""
        foreman = self._of(number)
        return None if foreman is None else foreman.running[number]

    def kill(self, number: int) -> None:
        """Have the foreman kill a job: only it knows which process numbers are still its own."""
        foreman = self._of(number)
        if foreman is not None:
            foreman.tell({"kill": number})

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; if a foreman itself died, all of its jobs."""
        busy = [one for one in self._foremen.values() if one.running or one.is_loading]
        if not any(one.running for one in busy):
            return []
        with selectors.DefaultSelector() as selector:
            for foreman in busy:
                if foreman.process.stdout is not None:
                    selector.register(foreman.process.stdout, selectors.EVENT_READ, foreman)
            ready: list[Foreman] = [key.data for key, _ in selector.select(timeout_s)]
        return [ended for foreman in ready for ended in self._understand(foreman)]

    def memory_bytes(self) -> int:
        """Return what the foremen take: the libraries, which their children share."""
        return sum(own_memory_bytes(one.process.pid) for one in self._foremen.values())

    def slowness(self) -> float:
        """Return wall seconds for one of work: the foremen tell what each child had."""
        wall_s = sum(wall for wall, _ in self._recent)
        work_s = sum(work for _, work in self._recent)
        return 1.0 if work_s < LEAST_WORK_S else max(1.0, wall_s / work_s)

    def rest(self) -> None:
        """End the foremen that have nothing to do, for their memory; they start again if asked."""
        for family in [name for name, one in self._foremen.items() if not one.running]:
            self._foremen.pop(family).close()

    def close(self) -> None:
        """End all foremen, and with them every child."""
        for foreman in self._foremen.values():
            foreman.close()
        self._foremen.clear()

    def _foreman(self, family: str) -> Foreman:
        found = self._foremen.get(family)
        if found is not None and found.is_dead:
            found.close()
            found = None
        if found is None:
            found = self._foremen[family] = Foreman(self._threads)
        return found

    def _of(self, number: int) -> Foreman | None:
        return next((one for one in self._foremen.values() if number in one.running), None)

    def _understand(self, foreman: Foreman) -> list[Ended]:
        ended = []
        for one in foreman.news():
            if "loaded" in one:
                foreman.is_loading = False
                self._loaded_at = time.monotonic()
            elif "started" in one:
                foreman.running[one["started"]] = time.monotonic()
            elif "ended" in one:
                self._note(foreman.running.pop(one["ended"], None), one["work_ms"] / 1000)
                ended.append(Ended(one["ended"], one["status"]))
        return ended

    def _note(self, began: float | None, work_s: float) -> None:
        """Keep how long a job took for its work, unless imports of our own had it wait."""
        if began is None or began < self._loaded_at:
            return
        if not any(one.is_loading for one in self._foremen.values()):
            self._recent.append((time.monotonic() - began, work_s))


def worker_environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker: as many threads as it was given, in every library."""
    limits = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"),
        str(threads),
    )
    import_path = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, **limits, "PYTHONPATH": import_path}
