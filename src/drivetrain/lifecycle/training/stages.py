"""What all stages of one training run share, and the clock that each of them has.

``train`` is a list of stages: ``rows``, ``tried`` (the search), ``mix`` (blends, calibration,
threshold), ``shrink`` (which of them), ``renew`` (fit again), ``prove``, ``ship``. Each is a
function over frozen values.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from drivetrain.core.progress import Reporter
from drivetrain.lifecycle.training.prove import ProofRows
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.search.budget import Budget, Window
from drivetrain.search.crew import Staff
from drivetrain.search.journal import Journal
from drivetrain.stats.metrics import Metric


@dataclass(frozen=True)
class Run:
    """One training run: its rows, what it was asked for, and who works for it.

    Attributes
    ----------
    proof
        The rows that parity compares.
    budget
        With the seconds that the search leaves for fitting again, ``kept_s``, at most.
    window
        When the last model must be fitted, the search's and those that are fitted after it.
    """

    rows: Rows
    proof: ProofRows
    metric: Metric
    settings: TrainSettings
    journal: Journal
    budget: Budget
    window: Window
    staff: Staff
    reporter: Reporter
    shrink_s: float = 0.0  # that are kept for smaller models; 0: they are chosen unmeasured
    clock: Clock = field(default_factory=lambda: Clock())

    def search_window(self) -> Window:
        """When the search ends: before what is kept for smaller models, and for fitting again."""
        return replace(
            self.window,
            ends_s=self.window.ends_s - self.shrink_s,
            kept_s=self.budget.kept_s,
            then_s=self.shrink_s,
        )

    def as_slow_as_found(self) -> Run:
        """Return the run after the search, which has seen how busy the machine is by now."""
        budget = self.budget.on_so_slow_a_machine(self.staff.crew.slowness())
        window = replace(self.window, ends_s=min(self.window.ends_s, budget.finish_by_s))
        return replace(self, budget=budget, window=window)

    def spare_s(self) -> float:
        """Seconds that stages may still take before only the proof and the writing have time."""
        return self.budget.limit_s - self.budget.finish_s - self.budget.elapsed_s

    def has_time(self, name: str, needed_s: float) -> bool:
        """Tell whether a stage that a bundle can do without may begin; a replay does the same.

        Parameters
        ----------
        name
            Of the stage, once in a run.
        needed_s
            What it takes on a machine that does nothing else.
        """
        return bool(
            self.journal.choose(
                f"time for {name}", lambda: self.budget.slowness * needed_s <= self.spare_s()
            )
        )

    def can_end(self, name: str, seconds: float) -> bool:
        """Tell whether the run still ends in time after so long on this machine; a replay obeys.

        Unlike :meth:`has_time` it counts on the grace after the limit: it is asked at the end.
        """
        finish_s = self.budget.finish_s
        return bool(
            self.journal.choose(
                f"time for {name}",
                lambda: self.budget.elapsed_s + seconds + finish_s <= self.budget.hard_end_s,
            )
        )


@dataclass
class Clock:
    """Wall seconds of each stage that is over, by its name, in their order."""

    taken_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Take the time of a stage; of one that is entered again, all of its times together.

        Examples
        --------
        >>> clock = Clock()
        >>> with clock.stage("blend"):
        ...     pass
        >>> list(clock.taken_s)
        ['blend']
        """
        began = time.monotonic()
        try:
            yield
        finally:
            self.taken_s[name] = self.taken_s.get(name, 0.0) + time.monotonic() - began
