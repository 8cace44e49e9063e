"""The parent: owns the socket, follows the desired state, keeps its workers alive; runs no model.

A new state is tried by one worker first. Only when that one serves it do the others get it; when
it is refused, or kills whoever tries it, everyone stays with the state before. A worker that dies
is replaced, one that falls silent is killed. On SIGHUP each worker is replaced by a fresh one that
serves before the old one leaves; on SIGTERM all drain, and the parent ends with status 0.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from drivetrain.core.errors import DrivetrainError, MachineError, ResourceError
from drivetrain.serve.desired import DesiredState
from drivetrain.serve.follow import Source, source_of
from drivetrain.serve.handle import Worker
from drivetrain.serve.listener import listen, url_of
from drivetrain.serve.messages import Drain, Follow, Leave, Open, Refused, Report, Serving, Start
from drivetrain.serve.nursery import Nursery
from drivetrain.serve.settings import ServeSettings
from drivetrain.serve.tracing_library import require_library

TICK_S = 0.1
_START_S = 60.0  # for a worker's first sign of life
_LOAD_S = 120.0  # for a worker to serve a state, or to refuse it
_LIVED_S = 5.0  # a worker that lived so long did not die of its start
_LONGEST_WAIT_S = 5.0
_NONE_OPEN_S = 2.0  # then a worker opens that is not ready, to say so
_TRIALS = 3
_ROLLED_AT_ONCE = 2  # workers: each takes the memory of its models a second time


def run(what: str | Path, settings: ServeSettings) -> None:
    """Serve a bundle, or what a document or the ledger says, until SIGTERM or SIGINT.

    Prints one line with the URL to standard error when the server is ready.

    Raises
    ------
    ResourceError
        If the port is taken or may not be used.
    BundleError
        If the bundle cannot be loaded, or does not answer its own vectors.
    MissingLibraryError
        If spans are asked for and the extra ``otel`` is not installed.
    """
    if settings.otel:
        require_library()
    source = source_of(what, ledger=settings.ledger)
    with listen(settings) as listener:
        Supervisor(source, settings, listener).run()


class Supervisor:
    """The parent process.

    Parameters
    ----------
    source
        What says which state is wanted.
    listener
        The bound socket; closed when the server ends.
    say
        Told each thing worth a line; standard error if not given.
    """

    def __init__(
        self,
        source: Source,
        settings: ServeSettings,
        listener: socket.socket,
        *,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.source = source
        self.settings = settings
        self.listener = listener
        self._say = say or _print
        self._nursery = Nursery()
        self._workers: set[Worker] = set()
        self._current: dict[int, Worker] = {}
        self._due: dict[int, float] = {}  # slot → when its next worker starts
        self._deaths: dict[int, int] = {}  # slot → early deaths in a row
        self._trial: Follow | None = None
        self._trial_deaths = 0
        self._good: Follow | None = None
        self._none_open_since: float | None = None
        self._announced = False
        self._ended = asyncio.Event()
        self._failure: DrivetrainError | None = None
        self._roll_wanted = False
        self._is_rolling = False
        self._board = ""
        self._jobs: set[asyncio.Task[None]] = set()

    def run(self) -> None:
        """Serve until a signal comes; raise what kept the first state from being served."""
        with tempfile.TemporaryDirectory(prefix="drivetrain-", ignore_cleanup_errors=True) as board:
            self._board = board
            asyncio.run(self._run())
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._end, number)
            self._loop.add_signal_handler(signal.SIGHUP, self._want_roll)
        first = await asyncio.to_thread(self.source.read)
        self._trial = Follow(1, first)
        try:
            for slot in range(self.settings.workers):
                self._current[slot] = self._start(slot)
            self._current[0].send(Open())
            if self.source.look_s is not None:
                self._background(self._follow(first, self.source.look_s))
            while not self._ended.is_set():
                self._tick()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), TICK_S)
            await self._drain()
        finally:
            for worker in self._workers:
                worker.kill()
            for job in self._jobs:
                job.cancel()
            self._nursery.close()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        job = self._loop.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._done)

    def _done(self, job: asyncio.Task[None]) -> None:
        self._jobs.discard(job)
        if not job.cancelled() and (fault := job.exception()) is not None:
            raise fault  # a fault of ours: asyncio's log shows it, the server goes on

    def _end(self, number: int) -> None:
        """Begin to drain; a second SIGINT ends without waiting."""
        if self._ended.is_set() and number == signal.SIGINT:
            for worker in self._workers:
                worker.kill()
        self._ended.set()

    # Workers: start, life, death

    def _start(self, slot: int) -> Worker:
        worker = Worker(slot, self.listener, self._nursery)
        self._workers.add(worker)
        self._background(self._attend(worker))
        worker.send(Start(slot, self.settings, self._board))
        order = self._good or self._trial
        if order is not None:
            worker.follow(order)
        return worker

    async def _attend(self, worker: Worker) -> None:
        async for report in worker.reports():
            worker.silent_ticks = 0
            worker.is_heard = True
            self._heard(worker, report)
        await worker.end()
        self._gone(worker)

    def _heard(self, worker: Worker, report: Report) -> None:
        if isinstance(report, Serving):
            worker.serves(report.generation)
            if self._trial is not None and report.generation == self._trial.generation:
                self._accept(self._trial)
            if not self._announced and self._all_serve():
                self._announced = True
                is_tls = self.settings.tls_certificate is not None
                self._say(f"drivetrain serves at {url_of(self.listener, is_tls=is_tls)}")
        elif isinstance(report, Refused):
            worker.refuses(report.generation)
            if self._trial is not None and report.generation == self._trial.generation:
                self._refuse(report.error)
            elif self._good is not None and report.generation == self._good.generation:
                self._say(f"drivetrain: worker {worker.slot}: {report.error.line()}")
                self._loop.call_later(_NONE_OPEN_S, self._follow_again, worker)

    def _gone(self, worker: Worker) -> None:
        self._workers.discard(worker)
        worker.gone.set()
        if self._current.get(worker.slot) is not worker or self._ended.is_set():
            return
        del self._current[worker.slot]
        lived_s = self._loop.time() - worker.started_s
        deaths = 0 if lived_s > _LIVED_S else self._deaths.get(worker.slot, 0) + 1
        self._deaths[worker.slot] = deaths
        wait_s = min(0.1 * 2**deaths, _LONGEST_WAIT_S) if deaths > 1 else 0.0
        self._due[worker.slot] = self._loop.time() + wait_s
        self._say(f"drivetrain: worker {worker.slot} ended ({worker.status}), starting another")
        if self._trial is not None and worker.asked == self._trial.generation:
            self._trial_died()

    def _trial_died(self) -> None:
        self._trial_deaths += 1
        if self._trial_deaths >= _TRIALS:
            self._refuse(_killing())
        elif self._good is not None:
            self._try()

    def _tick(self) -> None:
        now_s = self._loop.time()
        for worker in list(self._workers):
            worker.silent_ticks += 1  # counted, not timed: a machine that slept is no hang
            patience_s = self.settings.hang_timeout_s if worker.is_heard else _START_S
            if worker.silent_ticks * TICK_S > patience_s:
                self._say(f"drivetrain: worker {worker.slot} hangs, it is killed")
                worker.kill()
                worker.silent_ticks = 0
            if worker.asked != worker.generation and now_s - worker.asked_s > _LOAD_S:
                self._say(f"drivetrain: worker {worker.slot} loads for too long, it is killed")
                worker.kill()
        for slot, due_s in list(self._due.items()):
            if now_s >= due_s:
                del self._due[slot]
                self._current[slot] = self._start(slot)
                if self._trial is not None and self._good is not None:
                    self._try()
        self._open_one(now_s)
        if self._roll_wanted and not self._is_rolling and self._all_serve():
            self._roll_wanted, self._is_rolling = False, True
            self._background(self._roll())

    def _open_one(self, now_s: float) -> None:
        """Where no worker answers for a while, let one open that says why."""
        if any(worker.generation for worker in self._workers):
            self._none_open_since = None
        elif self._none_open_since is None:
            self._none_open_since = now_s
        elif now_s - self._none_open_since > _NONE_OPEN_S:
            for worker in self._current.values():
                worker.send(Open())

    # The desired state

    async def _follow(self, seen: DesiredState, look_s: float) -> None:
        wrong = ""
        generation = 1
        while True:
            await asyncio.sleep(look_s)
            try:
                state = await asyncio.to_thread(self.source.read)
            except DrivetrainError as error:
                if error.line() != wrong:
                    wrong = error.line()
                    self._say(f"drivetrain: serves on what it served: {wrong}")
                continue
            wrong = ""
            if state != seen and self._good is not None:
                seen = state
                generation += 1
                self._trial, self._trial_deaths = Follow(generation, state), 0
                self._try()

    def _try(self) -> None:
        """Let one worker try the new state, if any serves."""
        for worker in self._current.values():
            if worker.generation and self._trial is not None:
                worker.follow(self._trial)
                return

    def _accept(self, state: Follow) -> None:
        is_first = self._good is None
        self._good, self._trial, self._trial_deaths = state, None, 0
        for worker in self._workers:
            if worker.asked != state.generation:
                worker.follow(state)
        names = ", ".join(f"{name} {share:g} %" for name, share in state.state.shares.items())
        if not is_first:
            self._say(f"drivetrain: serves {names}")
        self._background(self._tell("serving", names))

    def _refuse(self, error: DrivetrainError) -> None:
        self._trial = None
        if self._good is None:
            self._failure = error
            self._ended.set()
            return
        self._say(f"drivetrain: serves on what it served: {error.line()}")
        for worker in self._workers:
            if worker.generation not in (0, self._good.generation):  # it was faster than orders
                worker.follow(self._good)
        self._background(self._tell("refused", error.line()))

    async def _tell(self, state: str, detail: str) -> None:
        try:
            await asyncio.to_thread(self.source.report, state, detail)
        except MachineError as error:
            self._say(f"drivetrain: {error.line()}")

    def _follow_again(self, worker: Worker) -> None:
        if self._good is not None and worker in self._workers and not self._ended.is_set():
            worker.follow(self._good)

    # Replacement and end

    def _want_roll(self) -> None:
        self._roll_wanted = True

    async def _roll(self) -> None:
        """Replace the workers, a few at a time, each before it leaves; none where one fails."""
        slots = iter(range(self.settings.workers))
        replaced: list[bool] = []

        async def replace_next() -> None:
            for slot in slots:
                replaced.append(not self._ended.is_set() and await self._replace(slot))
                if not replaced[-1]:
                    for _ in slots:  # the others stay as well
                        pass

        try:
            await asyncio.gather(*(replace_next() for _ in range(_ROLLED_AT_ONCE)))
            if all(replaced):
                self._say("drivetrain: all workers are replaced")
        finally:
            self._is_rolling = False

    async def _replace(self, slot: int) -> bool:
        fresh = self._start(slot)
        await fresh.first_answer(_LOAD_S)
        if fresh.gone.is_set() or not fresh.generation:
            fresh.kill()
            self._say(f"drivetrain: worker {slot} stays: its replacement did not start")
            return False
        old = self._current.get(slot)
        self._due.pop(slot, None)
        self._current[slot] = fresh
        if old is not None:
            old.send(Leave())
            await self._wait_for_end({old})
        return True

    async def _drain(self) -> None:
        self.listener.close()  # the workers' copies stay open until they close them
        for worker in self._workers:
            worker.send(Drain())
        await self._wait_for_end(set(self._workers))

    async def _wait_for_end(self, workers: set[Worker]) -> None:
        patience_s = self.settings.drain_delay_s + self.settings.drain_timeout_s + 5.0
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                for worker in workers:
                    await worker.gone.wait()
        for worker in workers:
            worker.kill()

    def _all_serve(self) -> bool:
        return self._good is not None and all(
            slot in self._current and self._current[slot].generation == self._good.generation
            for slot in range(self.settings.workers)
        )


def _print(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _killing() -> ResourceError:
    return ResourceError(
        where="the desired state",
        expected="models that load",
        got="the death of every worker that tried",
        remedy="See whether memory suffices, then change the state.",
        code="DT323",
    )
