"""When an iteration too many would not end in time."""

from __future__ import annotations

import time

from drivetrain.models.family import Budget

SLACK_S = 0.05  # kept back for reading the model out
READ_OUT = 0.4  # of the time that trees grew in: to read them and to ask them
SLACK_ITERATIONS = 3  # an iteration may take longer than the slowest so far


class Pace:
    """Asked after each iteration; remembers the slowest, but for the first, which also prepares."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._last: float | None = None
        self._slowest_s = 0.0
        self._began = time.monotonic()
        self._asked = 0

    def is_over(self) -> bool:
        """Tell whether the budget may not last for another iteration."""
        self._asked += 1
        return self._budget.stops("iterations", self._asked, self._is_late)

    def _is_late(self) -> bool:
        now = time.monotonic()
        if self._last is not None:
            self._slowest_s = max(self._slowest_s, now - self._last)
        self._last = now
        kept_s = SLACK_S + READ_OUT * (now - self._began)
        return self._budget.remaining_s() <= kept_s + SLACK_ITERATIONS * self._slowest_s
