"""When boosting stops: no gain for a while, or no time left."""

from __future__ import annotations

from typing import Any

from drivetrain.models.family import Budget
from drivetrain.models.pace import Pace


class Stopper:
    """A LightGBM callback that remembers the best iteration and ends the training.

    It goes by the first metric of the first validation set; lower is better. At least one
    iteration is always made.
    """

    order = 30  # after LightGBM's own evaluation
    before_iteration = False

    def __init__(self, budget: Budget, patience: int) -> None:
        self._pace = Pace(budget)
        self._patience = patience
        self._best = float("inf")
        self.best_iteration = 1
        self.reason = "rounds"

    def __call__(self, environment: Any) -> None:
        from lightgbm.callback import EarlyStopException

        iteration = environment.iteration + 1
        results = environment.evaluation_result_list or []
        if results and results[0][2] < self._best:
            self._best, self.best_iteration = results[0][2], iteration
        is_over = self._pace.is_over()
        if results and iteration - self.best_iteration >= self._patience:
            self.reason = "patience"
        elif is_over:
            self.reason = "time"
        else:
            return
        raise EarlyStopException(environment.iteration, results)
