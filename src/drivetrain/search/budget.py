"""The clock of a run: what each part may use of ``time_limit``.

A run aims to end by ``time_limit`` and must end by ``time_limit * 1.05 + 5`` seconds. Preparation
may take a tenth, a reserve at the end pays for the proof, the evaluation and the writing, and the
search has what lies between.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from drivetrain.core.errors import SettingError

SHORTEST_S = 1.0  # below, not even the learning libraries are imported
LEAST_SEARCH_S = 2.0  # what one small model needs at least
LEAST_FINISH_S = 1.5  # what the proof, the evaluation and the writing need at least
FINISH_S = 4.0  # and what they mostly do
FINISH_SHARE = 0.07  # of the time limit that they have,
SHORT_SHARE, SHORT_FINISH_S = 0.1, 3.0  # and of a short one, up to so many seconds
SLOWEST = 3.0  # a machine on which others work more than that cannot be planned for
COLUMN_SEARCH_S = 0.001  # more for each input column: its encoders,
COLUMN_FINISH_S = 0.001  # and its part of the graph, which is opened three times


@dataclass(frozen=True)
class Window:
    """When the search ends, in seconds after the beginning of the run.

    ``latest_s`` is for a run that has no model at all at ``ends_s``. Of the time before ``ends_s``,
    up to ``kept_s`` is left for fitting the chosen trials again; ``then_s`` follow it.
    """

    ends_s: float
    latest_s: float
    kept_s: float = 0.0
    then_s: float = 0.0


@dataclass(frozen=True)
class Budget:
    """The time limit of a run and when it began; times are seconds of the monotonic clock.

    Examples
    --------
    >>> budget = Budget(limit_s=60.0, began=0.0, clock=lambda: 10.0)
    >>> budget.window().ends_s
    50.0
    """

    limit_s: float
    began: float
    clock: Callable[[], float] = time.monotonic
    kept_s: float = 0.0  # that the search leaves for what follows it, at most
    columns: int = 0  # inputs of the table, as soon as they are known
    slowness: float = 1.0  # of a busy machine: wall seconds for one of work, see measured()
    worked_s: float = 0.0  # the process's own work when the run began

    @classmethod
    def start(cls, limit_s: float) -> Budget:
        """Start the clock.

        Raises
        ------
        SettingError
            If no model at all could be made in ``limit_s``.
        """
        if not math.isfinite(limit_s) or limit_s < SHORTEST_S:
            raise too_short(limit_s, "one model", SHORTEST_S + LEAST_SEARCH_S + LEAST_FINISH_S)
        return cls(limit_s=limit_s, began=time.monotonic(), worked_s=time.process_time())

    def measured(self) -> Budget:
        """Return the budget with how busy the machine was so far, while this process worked."""
        work_s = max(time.process_time() - self.worked_s, 1e-3)
        return replace(self, slowness=min(max(1.0, self.elapsed_s / work_s), SLOWEST))

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self.began

    def on_so_slow_a_machine(self, slowness: float) -> Budget:
        """Return the budget for a machine that is at least so slow by now."""
        return replace(self, slowness=max(self.slowness, min(slowness, SLOWEST)))

    @property
    def finish_by_s(self) -> float:
        """When what follows the last model has to begin, so that a busy machine ends in time."""
        return self.hard_end_s - self.slowness * (FINISH_S + COLUMN_FINISH_S * self.columns)

    @property
    def hard_end_s(self) -> float:
        """Seconds after the beginning by which the run must have ended."""
        return self.limit_s * 1.05 + 5.0

    @property
    def finish_s(self) -> float:
        """Seconds that the proof, the evaluation and the writing need at least, on this machine."""
        return self.slowness * (LEAST_FINISH_S + COLUMN_FINISH_S * self.columns)

    def window(self) -> Window:
        """Plan the search, which begins now, after the preparation.

        The reserve for the proof, the evaluation and the writing is a share of the limit, and at
        least as much as the preparation took, up to a quarter: a busy machine is slow in both. Wide
        tables need more of it: their graph has thousands of nodes.
        Where preparation has eaten the time, the search still gets the little that one model
        needs, out of the grace between the limit and the hard end.
        """
        prepared_s = self.elapsed_s
        reserve_s = max(
            self.finish_s,
            FINISH_SHARE * self.limit_s,
            min(SHORT_SHARE * self.limit_s, SHORT_FINISH_S),
            min(prepared_s, 0.25 * self.limit_s),
        )
        # Without a model all that is left is waited for: a late bundle is better than none.
        latest_s = self.hard_end_s - max(self.finish_s / self.slowness, 0.1 * self.limit_s)
        search_s = LEAST_SEARCH_S + COLUMN_SEARCH_S * self.columns
        planned_s = max(self.limit_s - reserve_s, prepared_s + search_s)
        return Window(min(planned_s, latest_s), latest_s, self.kept_s)


def allowance_s(
    remaining_s: float, *, folds: int, workers: int, is_last: bool, is_first: bool = False
) -> float:
    """Seconds that each fold of the next Recipe may take.

    Every Recipe but the last may use half of what remains, so a slow one cannot starve the rest;
    its folds run ``workers`` at a time. A second is given to every fold as far as there is one:
    with less, there might be no model at all. For the same reason the first Recipe, which a run of
    no time ends with, may then use up on its first folds what there is: one of them is a model.
    """
    waves = math.ceil(folds / workers)
    whole_s = remaining_s / waves
    if is_first and whole_s < 1.0:
        return min(LEAST_SEARCH_S, remaining_s)
    return whole_s if is_last else max(whole_s / 2, min(1.0, whole_s))


def too_little_memory(limit_bytes: int, what: str, needed_bytes: int) -> SettingError:
    """Return the error of a memory limit in which nothing can be made."""
    return SettingError(
        where="setting 'memory_limit'",
        expected=f"enough gigabytes for {what}",
        got=f"{limit_bytes / 1e9:.2f}",
        remedy=f"Give --memory-limit {math.ceil(needed_bytes / 1e8) / 10:g} or more, or fewer "
        "--workers.",
        code="DT2K1",
    )


def too_short(limit_s: float, what: str, needed_s: float) -> SettingError:
    """Return the error of a time limit in which nothing can be made."""
    return SettingError(
        where="setting 'time_limit'",
        expected=f"enough seconds for {what}",
        got=f"{limit_s:g}",
        remedy=f"Give --time-limit {math.ceil(needed_s)} or more.",
        code="DT2K0",
    )
