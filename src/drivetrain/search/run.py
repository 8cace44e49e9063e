"""The run: drafts become trials, a fold at a time, on all workers, until the clock says stop.

The unit of work is one fold of one Recipe. Folds of the best draft are fitted side by side, so
the first trial is complete as early as it can be; what a killed fold had done is lost, the folds
beside it are kept.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count

from drivetrain.core.errors import InternalError
from drivetrain.core.progress import Reporter
from drivetrain.search.again import again_s
from drivetrain.search.budget import (
    LEAST_SEARCH_S,
    Budget,
    Window,
    allowance_s,
    too_little_memory,
    too_short,
)
from drivetrain.search.crew import STARVED, STOPPED, Staff, end_of
from drivetrain.search.encodings import Encodings
from drivetrain.search.fit import FoldJob
from drivetrain.search.forking import Ended
from drivetrain.search.journal import SEARCHED, ClockEntry, Journal
from drivetrain.search.portfolio import Draft
from drivetrain.search.recipe import Recipe
from drivetrain.search.replay import trials_again
from drivetrain.search.settled import settled
from drivetrain.search.study import Study
from drivetrain.search.telling import best_of, entry_of, time_left
from drivetrain.search.trial import Trial, read_trial
from drivetrain.search.tuner import Tuner
from drivetrain.search.worker import GRACE_S
from drivetrain.stats.metrics import Metric

LEAST_FIT_S = 0.2  # a fold that has less is not begun
_NUMBERS = count(1)  # of jobs: one crew works for several searches of a run
LOAD_S = 5.0  # the least time that a family's libraries are imported for
_LAUNCH_S = 5.0  # that importing a family's libraries takes at most
_LOOK_S = 0.1  # how often the clock is looked at
_TELL_S = 1.0  # how often it is said how far the search is


@dataclass
class _Open:
    """A trial in the making."""

    recipe: Recipe
    waiting: list[int]
    allowance_s: float
    began: float
    running: int = 0
    error: str = ""


@dataclass
class _Search:
    """The state of one search; :func:`search` is its only user."""

    study: Study
    encodings: Encodings
    journal: Journal
    budget: Budget
    window: Window
    staff: Staff
    reporter: Reporter
    drafts: Iterator[tuple[bool, Draft]]
    families: tuple[str, ...] = ()  # in the order in which they are planned
    trials: dict[str, Trial] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    pace_s: dict[str, float] = field(default_factory=dict)  # wall seconds of a family's last trial
    _current: _Open | None = None
    _running: dict[int, tuple[_Open, FoldJob]] = field(default_factory=dict)
    _opened: dict[str, Draft] = field(default_factory=dict)  # what was begun, by its Recipe's key
    _late: set[int] = field(default_factory=set)  # killed by the run, or about to be
    _has_fold: bool = False  # one that is fitted
    _told: float = 0.0  # when it was last said how far the search is
    _begun: int = 0  # folds
    _first_by_s: float = 0.0  # when those that run without a trial must be over

    @property
    def _metric(self) -> Metric:
        return self.study.problem.measure

    def left_s(self) -> float:
        """Seconds until the search must end: later while nothing at all is fitted.

        Once a fold is, there is a model of it: the other folds of the first trial are not worth
        ending late. The very first folds are begun however late it is: a late bundle is better
        than none.
        """
        if self.trials:
            slow = self.budget.on_so_slow_a_machine(self.staff.crew.slowness())
            ends_s = min(self.window.ends_s, slow.finish_by_s - self.window.then_s)
            return ends_s - self._kept_s() - self.budget.elapsed_s
        if self._has_fold:
            return self.window.ends_s - self.budget.elapsed_s
        left_s = self.window.latest_s - self.budget.elapsed_s
        return left_s if self._begun >= self.staff.workers else max(left_s, LEAST_SEARCH_S)

    def _kept_s(self) -> float:
        """Seconds that are left for fitting again what the blend is likely to choose.

        None where that would take more than may be kept: it would not be begun.
        """
        if not self.window.kept_s:
            return 0.0
        metric = self._metric
        needed_s = again_s(tuple(self.trials.values()), metric, self.staff.workers)
        return needed_s if needed_s <= self.window.kept_s else 0.0

    def work(self) -> None:
        """Fit until the drafts or the time are used up."""
        while self._fill() and (self.left_s() > -GRACE_S or self._waits_for_the_first()):
            self._close(self.staff.crew.wait(_LOOK_S))
            self._kill_late()
            self._tell_the_time()
        self._late.update(self._running)
        self._close([Ended(number, -signal.SIGKILL) for number in self._running])

    def _waits_for_the_first(self) -> bool:
        return not self.trials and self.budget.elapsed_s < self._first_by_s

    def _tell_the_time(self) -> None:
        """Say once a second how far the search is, for whoever watches."""
        now = time.monotonic()
        if now < self._told + _TELL_S:
            return
        self._told = now
        names = sorted({trial.recipe.family for trial, _ in self._running.values()})
        self.reporter.say(
            "search",
            f"{time_left(self.budget)}; {best_of(self.trials.values(), self._metric)}; "
            f"{len(self.trials)} tried, "
            f"fitting {', '.join(names) or 'none'}",
            done=self.budget.elapsed_s,
            total=max(self.window.ends_s, self.budget.elapsed_s),
            passing=True,
        )

    def _fill(self) -> bool:
        while len(self._running) < self.staff.workers:
            job = self._next_job()
            if job is None:
                break
            self._start(*job)
        return bool(self._running)

    def _next_job(self) -> tuple[_Open, FoldJob] | None:
        while self._current is None or not self._current.waiting:
            if self.left_s() < LEAST_FIT_S or not self._open_next():
                return None
        trial = self._current
        seconds = min(trial.allowance_s, self.left_s())
        if seconds < LEAST_FIT_S:
            trial.error = f"{STOPPED}: no time was left for its other folds"
            self._note_clock("stop", trial.recipe.key, "No time is left for its other folds.")
            trial.waiting.clear()
            self._finish_if_over(trial)
            return None
        return trial, FoldJob(
            folder=str(self.study.folder),
            recipe=trial.recipe,
            fold=trial.waiting.pop(0),
            seconds=seconds,
            threads=self.staff.threads,
            memory_bytes=self.staff.share_bytes(),
        )

    def _open_next(self) -> bool:
        """Take the next draft that has something to fit and is worth its time."""
        for is_last, planned in self.drafts:
            if self.left_s() < LEAST_FIT_S:
                return False
            tried = [(one, self.trials[key]) for key, one in self._opened.items()
                     if key in self.trials]  # fmt: skip
            draft = settled(planned, tried, self._metric)
            if draft is None:
                self._note_clock("skip", planned.family, "What it would learn has lost before.")
                continue
            if self.pace_s.get(draft.family, 0.0) > 2.0 * self.left_s():
                reason = f"Its family needs about {self.pace_s[draft.family]:.0f} s for a trial."
                self._note_clock("skip", draft.family, reason)
                continue
            self.reporter.say("search", f"preparing {draft.family}")
            recipe = self.encodings.recipe(draft)
            done = {fold.number for fold in self.study.finished(recipe.key)}
            folds = [n for n in range(self.study.problem.folds) if n not in done]
            trial = _Open(
                recipe=recipe,
                waiting=folds,
                allowance_s=allowance_s(
                    self.left_s(),
                    folds=len(folds) or 1,
                    workers=self.staff.workers,
                    is_last=is_last,
                    is_first=not self._opened,
                ),
                began=time.monotonic(),
            )
            if recipe.key in self._opened:
                continue  # two drafts with the same parameters
            self._opened[recipe.key] = draft
            self._load_after(draft.family)
            if not folds:
                self._finish_if_over(trial)
                continue
            self._current = trial
            return True
        return False

    def _load_after(self, family: str) -> None:
        """Have the libraries of the next family imported while this one is fitted."""
        if self.left_s() < LOAD_S:
            return
        place = self.families.index(family) + 1 if family in self.families else 0
        for following in self.families[place : place + 1]:
            self.staff.crew.load(following)

    def _start(self, trial: _Open, job: FoldJob) -> None:
        number = next(_NUMBERS)
        trial.running += 1
        self._begun += 1
        self._first_by_s = self.budget.elapsed_s + job.seconds + _LAUNCH_S
        self._running[number] = (trial, job)
        self.staff.crew.start(number, job)

    def _close(self, ended: Sequence[Ended]) -> None:
        for one in ended:
            if one.number not in self._running:
                continue  # of a search before, which its crew's time ran out on
            trial, job = self._running.pop(one.number)
            trial.running -= 1
            self._has_fold |= one.status == 0
            if one.status != 0:
                by_clock = one.number in self._late or self.left_s() <= 0
                trial.error = end_of(one.status, job, by_clock=by_clock)
                trial.waiting.clear()  # it would fare no better on the other folds
            self._finish_if_over(trial)

    def _kill_late(self) -> None:
        for number, (_, job) in self._running.items():
            began = self.staff.crew.began(number)
            if began is not None and time.monotonic() > began + job.seconds + GRACE_S:
                self._late.add(number)
                self.staff.crew.kill(number)

    def _finish_if_over(self, trial: _Open) -> None:
        if trial.running or trial.waiting:
            return
        result = read_trial(self.study, trial.recipe)
        wall_s = time.monotonic() - trial.began
        self.pace_s[trial.recipe.family] = wall_s
        self._record(trial, result)
        if result is None:
            self.errors.append(f"{trial.recipe.key}: {trial.error}")
            self.reporter.say("search", f"{trial.recipe.key} failed: {trial.error}")
            return
        self.trials[result.key] = result
        metric = self._metric
        self.reporter.say(
            "search",
            f"{result.key}: {metric.name} {result.score:.5f} in {wall_s:.1f} s; "
            f"{best_of(self.trials.values(), metric)}; {time_left(self.budget)}",
        )

    def _record(self, trial: _Open, result: Trial | None) -> None:
        """Write the trial down, unless an earlier run of this folder has."""
        entry = entry_of(trial.recipe, result, trial.error)
        known = self.journal.trials().get(entry.key)
        if known is None or known.folds != entry.folds or known.status == "failed":
            self.journal.append(entry)

    def _note_clock(self, choice: str, subject: str, reason: str) -> None:
        self.journal.append(ClockEntry(choice=choice, subject=subject, reason=reason))


def search(
    study: Study,
    encodings: Encodings,
    drafts: Sequence[Draft],
    tuner: Tuner | None = None,
    *,
    journal: Journal,
    budget: Budget,
    staff: Staff,
    reporter: Reporter,
    window: Window | None = None,
    name: str = SEARCHED,
) -> tuple[Trial, ...]:
    """Fit the drafts in their order, then what a tuner proposes, until the time is used up.

    Parameters
    ----------
    window
        When to end; by default what the budget plans for a search that begins now.
    name
        Of this search among those of the run. In a replay its trials are those that it had then.

    Returns
    -------
    tuple
        The trials with at least one fitted fold, in the order in which they were finished.

    Raises
    ------
    SettingError
        If the time was too short for even one fold.
    InternalError
        If there are no trials and at least one failed for another reason than the clock.
    """

    def finished() -> list[tuple[str, list[int]]]:
        tried.extend(
            _search_by_clock(
                study, encodings, drafts, tuner,
                journal=journal, budget=budget, staff=staff, reporter=reporter, window=window,
            )
        )  # fmt: skip
        return [(trial.key, [fold.number for fold in trial.folds]) for trial in tried]

    tried: list[Trial] = []
    chosen = journal.choose(name, finished)
    if journal.obeyed is None:
        return tuple(tried)
    return trials_again(study, encodings, chosen, journal=journal, staff=staff, reporter=reporter)


def _search_by_clock(
    study: Study,
    encodings: Encodings,
    drafts: Sequence[Draft],
    tuner: Tuner | None,
    *,
    journal: Journal,
    budget: Budget,
    staff: Staff,
    reporter: Reporter,
    window: Window | None,
) -> tuple[Trial, ...]:
    is_all = tuner is None
    marked = [
        (is_all and number == len(drafts), draft) for number, draft in enumerate(drafts, start=1)
    ]
    trials: dict[str, Trial] = {}
    more = (
        iter(())
        if tuner is None
        else ((False, draft) for draft in tuner.drafts(lambda: tuple(trials.values())))
    )
    run = _Search(
        study=study,
        encodings=encodings,
        journal=journal,
        budget=budget,
        window=window or budget.window(),
        staff=staff,
        reporter=reporter,
        drafts=chain(marked, more),
        families=tuple(dict.fromkeys(draft.family for draft in drafts)),
        trials=trials,
    )
    run.work()
    if run.trials:
        return tuple(run.trials.values())
    faults = [error for error in run.errors if STOPPED not in error]
    if not faults:
        raise too_short(budget.limit_s, "one model of this table", 2 * budget.limit_s + 10)
    if all(STARVED in fault for fault in faults):
        limit = staff.memory_bytes or 0
        raise too_little_memory(limit, "one model of this table", 2 * limit)
    raise InternalError(
        where="search",
        expected="at least one model that can be fitted",
        got=faults[0],
        remedy=f"Report it with the logs in {study.folder / 'trials'}.",
        code="DT701",
    )
