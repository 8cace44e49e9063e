"""The worker side of the search: a process that imports a family's libraries once and forks.

``python -m drivetrain.search.worker`` reads one command a line from standard input,
``{"load": family}``, ``{"run": id, "job": {...}}`` or ``{"kill": id}``, and answers on standard
output with ``{"loaded": 1}``, ``{"started": id, "pid": pid}`` and
``{"ended": id, "status": s, "work_ms": w}``, where s is an exit status or minus a signal and w its
processor time. It never runs a parallel region or trains anything itself, so a fork of it is safe,
and costs milliseconds where an import would cost seconds. A child fits one fold and exits; it dies
by its own alarm at its wall-clock limit, and with its parent, and gets no memory past its share.
When standard input ends, because the run has ended or was killed, everything ends.

``python -m drivetrain.search.worker --job FILE`` fits one fold without forking, for systems that
have no fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

from drivetrain.core.machine import data_size_bytes
from drivetrain.search.fit import FoldJob, families_of, fit_fold, load_family

GRACE_S = 0.5  # between the time a fit is told to end and the time it is killed
_LOOK_S = 0.5  # how often the death of the parent is looked for, should the pipe outlive it


class Foreman:
    """Forks a child for each job, kills on demand, and reports every end."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._children: dict[int, int] = {}  # pid -> id
        self._unread = b""
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def work(self) -> None:
        """Obey until standard input ends or the parent dies."""
        while os.getppid() == self._parent:
            readable, _, _ = select.select([0, self._woken], [], [], _LOOK_S)
            if self._woken in readable:
                os.read(self._woken, 4096)
            self._reap()
            if 0 in readable and not self._read():
                break
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _read(self) -> bool:
        data = os.read(0, 1 << 16)
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._obey(msgspec.json.decode(line))
        return bool(data)

    def _obey(self, command: dict[str, Any]) -> None:
        if "kill" in command:
            for pid, number in self._children.items():
                if number == command["kill"]:
                    os.kill(pid, signal.SIGKILL)
            return
        if "load" in command:
            load_family(command["load"])
            self._say(loaded=1)
            return
        job = msgspec.convert(command["job"], FoldJob)
        # at the first job only; its children find it loaded
        load_family(job.recipe.family, families_of(job.folder))
        foreman = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_child(job, foreman)
        self._children[pid] = command["run"]
        self._say(started=command["run"], pid=pid)

    def _reap(self) -> None:
        for pid in list(self._children):
            done, status, used = os.wait4(pid, os.WNOHANG)
            if done:
                number = self._children.pop(pid)
                work_ms = round(1000 * (used.ru_utime + used.ru_stime))
                self._say(ended=number, status=os.waitstatus_to_exitcode(status), work_ms=work_ms)

    def _say(self, **news: int) -> None:
        os.write(1, msgspec.json.encode(news) + b"\n")


def _be_child(job: FoldJob, foreman: int) -> None:
    """Do one job in a forked child and exit, whatever happens; never return."""
    status = 1
    try:
        _die_with(foreman)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _log_to(job)
        status = run(job)
    finally:
        os._exit(status)


def run(job: FoldJob) -> int:
    """Do one job under its alarm; return the exit status."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # kills, also inside native code
        signal.setitimer(signal.ITIMER_REAL, job.seconds + GRACE_S)
    _cap_memory(job.memory_bytes)
    try:
        fit_fold(job)
    except Exception:  # whatever a library raises ends this trial, never the run
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0


def _cap_memory(memory_bytes: int | None) -> None:
    """Let no allocation succeed past the job's share: it fails alone, where others go on.

    What the child of a fork shares with its parent is there already and does not count.
    """
    if memory_bytes is not None and sys.platform == "linux":
        import resource

        most = data_size_bytes() + memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def log_path(job: FoldJob) -> Path:
    """Where a job's words and its traceback go."""
    return Path(job.folder) / "trials" / f"{job.recipe.key}-{job.fold}.log"


def _log_to(job: FoldJob) -> None:
    handle = os.open(log_path(job), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies (Linux)."""
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG, linux/prctl.h
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def main(arguments: list[str]) -> int:
    """Work as a foreman, or do the one job of ``--job FILE``."""
    if arguments[:1] == ["--job"]:
        return run(msgspec.json.decode(Path(arguments[1]).read_bytes(), type=FoldJob))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's business
    with contextlib.suppress(BrokenPipeError):  # the run has ended, and nobody listens
        Foreman().work()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
