"""The run's side of the worker processes: start a job, kill it, hear of its end.

:class:`Forking` talks to the one process of ``worker.py`` that forks a child for each job;
:class:`Spawning` starts a fresh interpreter for each, where there is no fork. Neither needs an
``if __name__ == "__main__"`` in the user's script. :class:`Inline` has no workers: small tables are
fitted before a process would have started.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from drivetrain.core.files import write_file
from drivetrain.core.machine import own_memory_bytes
from drivetrain.search.budget import too_little_memory
from drivetrain.search.fit import FoldJob, fit_fold
from drivetrain.search.worker import log_path

STOPPED = "stopped by the clock"
STARVED = "needed more memory than its share"
# How libraries say that an allocation failed: Python, numpy, C++, torch, OpenMP.
_NO_MEMORY = re.compile(
    r"MemoryError|Unable to allocate|bad_alloc|not enough memory|Thread creation failed"
    r"|[Cc]annot allocate memory|[Oo]ut of memory"
)
RECENT = 6  # jobs by which it is told how busy the machine is,
LEAST_WORK_S = 0.5  # with so much work at least
LEAST_SHARE_BYTES = 64_000_000  # of memory, with which a fold is begun


@dataclass(frozen=True)
class Ended:
    """A job that is over: ``status`` is its exit status, or minus the signal that killed it."""

    number: int
    status: int


def end_of(status: int, job: FoldJob, *, by_clock: bool = True) -> str:
    """Say why a job is over that did not end well: its share of memory, the signal, or its log.

    Parameters
    ----------
    by_clock
        Whether a job that was killed was so by the run, for its time.
    """
    log = log_path(job)
    words = log.read_text(errors="replace").strip() if log.exists() else ""
    if job.memory_bytes is not None and _NO_MEMORY.search(words):
        return f"fold {job.fold} {STARVED} of {job.memory_bytes / 1e6:,.0f} MB"
    if status == -signal.SIGKILL and not by_clock:
        return f"fold {job.fold} was killed by the system, most likely for want of memory"
    if status in (-signal.SIGKILL, -signal.SIGALRM):
        return f"fold {job.fold} was {STOPPED} (signal {-status})"
    if status < 0:
        return f"fold {job.fold} crashed (signal {-status})"
    return words.splitlines()[-1] if words else f"exit status {status}"


class Crew(Protocol):
    """Worker processes, seen from the run."""

    def start(self, number: int, job: FoldJob) -> None:
        """Start a job under a number of the caller's choice."""
        ...

    def kill(self, number: int) -> None:
        """Kill a job; its end is reported by :meth:`wait` like every other."""
        ...

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended, as soon as there is one, or after the timeout."""
        ...

    def began(self, number: int) -> float | None:
        """Return the monotonic time at which a job was seen to run; None while it waits."""
        ...

    def memory_bytes(self) -> int:
        """Return the memory that the crew takes while it waits for jobs."""
        ...

    def slowness(self) -> float:
        """Return wall seconds for one of work in the last jobs, 1 where nobody knows."""
        ...

    def close(self) -> None:
        """Kill whatever still runs."""
        ...


@dataclass(frozen=True)
class Staff:
    """Who works: a crew, how many jobs at once, threads of each."""

    crew: Crew
    workers: int
    threads: int = 1
    memory_bytes: int | None = None  # for the run and all of its workers

    def share_bytes(self) -> int | None:
        """Return what each worker may take: what the run itself and its crew leave.

        Raises
        ------
        SettingError
            If that is too little for any model.
        """
        if self.memory_bytes is None:
            return None
        taken = own_memory_bytes() + self.crew.memory_bytes()
        share = (self.memory_bytes - taken) // self.workers
        if share < LEAST_SHARE_BYTES:
            needed = taken + 4 * LEAST_SHARE_BYTES * self.workers
            raise too_little_memory(self.memory_bytes, "the table and its models", needed)
        return share


def hire(threads: int, *, first: str, workers: int) -> Crew:
    """Start the kind of crew that this system can have; none for 0 workers.

    Parameters
    ----------
    first
        The family that is fitted first: its libraries are imported at once.
    """
    if workers == 0:
        return Inline()
    if not hasattr(os, "fork"):
        return Spawning(threads)
    crew = Forking(threads)
    crew.load(first)
    return crew


class Forking:
    """One forking process, imported once; started again should it die."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._running: dict[int, float | None] = {}
        self._unread = b""
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self._process = self._launch()

    def _launch(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "drivetrain.search.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(self._threads),
            start_new_session=True,  # Ctrl-C goes to the run, which closes its crew
            bufsize=0,
        )

    def start(self, number: int, job: FoldJob) -> None:
        """Start a job; a dead foreman is replaced first."""
        if self._process.poll() is not None:
            self.close()
            self._process = self._launch()
            self._unread = b""
        self._running[number] = None
        self._tell({"run": number, "job": msgspec.to_builtins(job)})

    def load(self, family: str) -> None:
        """Import a family's libraries before its first job comes."""
        self._tell({"load": family})

    def began(self, number: int) -> float | None:
        """Return when the foreman said that it had forked."""
        return self._running.get(number)

    def kill(self, number: int) -> None:
        """Have the foreman kill a job: only it knows which process numbers are still its own."""
        self._tell({"kill": number})

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended; if the foreman itself died, all of them."""
        pipe = self._process.stdout
        if pipe is None or not self._running:
            return []
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            if not selector.select(timeout_s):
                return []
        data = os.read(pipe.fileno(), 1 << 16)
        if not data:
            ended = [Ended(number, -9) for number in sorted(self._running)]
        else:
            ended = list(self._understand(data))
        for one in ended:
            self._running.pop(one.number, None)
        return ended

    def memory_bytes(self) -> int:
        """Return what the foreman takes: the libraries, which its children share."""
        return own_memory_bytes(self._process.pid)

    def slowness(self) -> float:
        """Return wall seconds for one of work: the foreman tells what each child had."""
        wall_s = sum(wall for wall, _ in self._recent)
        work_s = sum(work for _, work in self._recent)
        return 1.0 if work_s < LEAST_WORK_S else max(1.0, wall_s / work_s)

    def close(self) -> None:
        """End the foreman, and with it every child."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _understand(self, data: bytes) -> list[Ended]:
        *lines, self._unread = (self._unread + data).split(b"\n")
        news = [msgspec.json.decode(line) for line in lines]
        for one in news:
            if "started" in one:
                self._running[one["started"]] = time.monotonic()
            began = self._running.get(one.get("ended", -1))
            if began is not None:
                self._recent.append((time.monotonic() - began, one["work_ms"] / 1000))
        return [Ended(one["ended"], one["status"]) for one in news if "ended" in one]

    def _tell(self, command: dict[str, Any]) -> None:
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(msgspec.json.encode(command) + b"\n")
        except BrokenPipeError:
            return  # the foreman is dead, which the next wait reports


class Spawning:
    """A fresh interpreter for each job: slow to start, and works everywhere."""

    def __init__(self, threads: int) -> None:
        self._environment = _environment(threads)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._began: dict[int, float] = {}

    def start(self, number: int, job: FoldJob) -> None:
        """Start an interpreter on a job."""
        trials = Path(job.folder) / "trials"
        description = trials / f"{job.recipe.key}-{job.fold}.json"
        write_file(description, msgspec.json.encode(job))
        self._began[number] = time.monotonic()
        with description.with_suffix(".log").open("wb") as log:
            self._processes[number] = subprocess.Popen(
                [sys.executable, "-m", "drivetrain.search.worker", "--job", str(description)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )

    def began(self, number: int) -> float | None:
        """Return when the interpreter was started."""
        return self._began.get(number)

    def kill(self, number: int) -> None:
        """Kill a job's process."""
        if number in self._processes:
            self._processes[number].kill()

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended."""
        for process in list(self._processes.values())[:1]:
            try:
                process.wait(timeout=min(timeout_s, 0.05))
            except subprocess.TimeoutExpired:
                break
        ended = [
            Ended(number, process.returncode)
            for number, process in self._processes.items()
            if process.poll() is not None
        ]
        for one in ended:
            del self._processes[one.number]
        return ended

    def memory_bytes(self) -> int:
        """Return 0: nobody waits."""
        return 0

    def slowness(self) -> float:
        """Return 1: it is not measured."""
        return 1.0

    def close(self) -> None:
        """Kill every process."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes.clear()


class Inline:
    """Fits in the run's own process. Nothing kills a job here: it has to mind its own clock."""

    def __init__(self) -> None:
        self._ended: list[Ended] = []

    def start(self, number: int, job: FoldJob) -> None:
        """Fit at once; a failure leaves its last line in the job's log, as a worker's does."""
        from threadpoolctl import threadpool_limits

        try:
            # Waiting threads spin: on a busy machine ten small fits take a minute with two of them.
            with threadpool_limits(job.threads):
                fit_fold(job)
        except Exception as error:  # whatever a library raises is the end of this job alone
            write_file(Path(log_path(job)), f"{type(error).__name__}: {error}\n".encode())
            self._ended.append(Ended(number, 1))
        else:
            self._ended.append(Ended(number, 0))

    def began(self, number: int) -> float | None:
        """Return None: a job is over before anyone can ask."""
        return None

    def kill(self, number: int) -> None:
        """Do nothing: no job is running when this is called."""

    def wait(self, timeout_s: float) -> list[Ended]:
        """Return the jobs that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def memory_bytes(self) -> int:
        """Return 0: all is taken by the run's own process."""
        return 0

    def slowness(self) -> float:
        """Return 1: it is not measured."""
        return 1.0

    def close(self) -> None:
        """Do nothing: there is nobody to send home."""


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of a worker: as many threads as it was given, in every library."""
    limits = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"),
        str(threads),
    )
    import_path = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, **limits, "PYTHONPATH": import_path}
