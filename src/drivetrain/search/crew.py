"""The run's side of the worker processes: start a job, kill it, hear of its end.

:class:`~drivetrain.search.forking.Forking` has a process of ``worker.py`` for each family, which
forks a child for each job; :class:`Spawning` starts a fresh interpreter for each, where there is no
fork. Neither needs an ``if __name__ == "__main__"`` in the user's script. :class:`Inline` has no
workers: small tables are fitted before a process would have started.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from drivetrain.core.files import write_file
from drivetrain.core.machine import own_memory_bytes
from drivetrain.search.budget import too_little_memory
from drivetrain.search.fit import FoldJob, fit_fold
from drivetrain.search.forking import Ended, Forking, worker_environment
from drivetrain.search.worker import log_path

STOPPED = "stopped by the clock"
STARVED = "needed more memory than its share"
# How libraries say that an allocation failed: Python, numpy, C++, torch, OpenMP.
_NO_MEMORY = re.compile(
    r"MemoryError|Unable to allocate|bad_alloc|not enough memory|Thread creation failed"
    r"|[Cc]annot allocate memory|[Oo]ut of memory"
)
LEAST_SHARE_BYTES = 64_000_000  # of memory, with which a fold is begun,
ROOM = 4  # times as much as it had better have


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

    def load(self, family: str) -> None:
        """Import a family's libraries, beside the jobs that run, before its first job comes."""
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

    def rest(self) -> None:
        """Give back the memory of what waits for jobs."""
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
        if self.memory_bytes - taken < ROOM * self.workers * LEAST_SHARE_BYTES:
            self.crew.rest()
            taken = own_memory_bytes() + self.crew.memory_bytes()
        share = (self.memory_bytes - taken) // self.workers
        if share < LEAST_SHARE_BYTES:
            needed = taken + ROOM * LEAST_SHARE_BYTES * self.workers
            raise too_little_memory(self.memory_bytes, "the table and its models", needed)
        return share


def hire(threads: int, *, first: Sequence[str], workers: int) -> Crew:
    """Start the kind of crew that this system can have; none for 0 workers.

    Parameters
    ----------
    first
        The families that are fitted first: their libraries are imported at once.
    """
    if workers == 0:
        return Inline()
    if not hasattr(os, "fork"):
        return Spawning(threads)
    crew = Forking(threads)
    for family in first[:workers]:
        crew.load(family)
    return crew


class Spawning:
    """A fresh interpreter for each job: slow to start, and works everywhere."""

    def __init__(self, threads: int) -> None:
        self._environment = worker_environment(threads)
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

    def load(self, family: str) -> None:
        """Do nothing: every interpreter imports for itself."""

    def memory_bytes(self) -> int:
        """Return 0: nobody waits."""
        return 0

    def rest(self) -> None:
        """Do nothing: nobody waits."""

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

    def load(self, family: str) -> None:
        """Do nothing: the fit imports what it needs."""

    def memory_bytes(self) -> int:
        """Return 0: all is taken by the run's own process."""
        return 0

    def rest(self) -> None:
        """Do nothing: nobody waits."""

    def slowness(self) -> float:
        """Return 1: it is not measured."""
        return 1.0

    def close(self) -> None:
        """Do nothing: there is nobody to send home."""
