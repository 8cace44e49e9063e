"""When boosting stops: no gain for a while, or no time left."""

from __future__ import annotations

import time
from typing import Any

from drivetrain.models.family import Budget

SLACK_S = 0.05  # kept back for reading the model out
SLACK_ITERATIONS = 3  # an iteration may take longer than the slowest so far


class Stopper:
    """A LightGBM callback that remembers the best iteration and ends the training.

    It goes by the first metric of the first validation set; lower is better. At least one
    iteration is always made.
    """

    order = 30  # after LightGBM's own evaluation
    before_iteration = False

    def __init__(self, budget: Budget, patience: int) -> None:
        self._budget = budget
        self._patience = patience
        self._best = float("inf")
        self._slowest_s = 0.0
        self._last = time.monotonic()
        self.best_iteration = 1
        self.reason = "rounds"

    def __call__(self, environment: Any) -> None:
        from lightgbm.callback import EarlyStopException

        iteration = environment.iteration + 1
        results = environment.evaluation_result_list or []
        if results and results[0][2] < self._best:
            self._best, self.best_iteration = results[0][2], iteration
        now = time.monotonic()
        if iteration > 1:  # the first one also builds the histograms' bins
            self._slowest_s = max(self._slowest_s, now - self._last)
        self._last = now
        if results and iteration - self.best_iteration >= self._patience:
            self.reason = "patience"
        elif self._budget.remaining_s() <= SLACK_S + SLACK_ITERATIONS * self._slowest_s:
            self.reason = "time"
        else:
            return
        raise EarlyStopException(environment.iteration, results)
