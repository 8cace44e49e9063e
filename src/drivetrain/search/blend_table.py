"""What blends are chosen by: trials side by side, and the error of any mean of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.core.findings import Decision
from drivetrain.search.trial import as_scored
from drivetrain.stats.intervals import paired_bootstrap
from drivetrain.stats.metrics import Metric, find_metric
from drivetrain.stats.mixture import mixture

RESAMPLES = 100
MOST_ROWS = 50_000  # rows that are enough to choose on
SPREAD_ROWS = 4_000  # rows that are enough to tell how sure a difference is


@dataclass(frozen=True)
class Candidate:
    """A trial as the blend sees it: predictions (n, t) on the blended scale, none of them NaN.

    ``cost_ns`` is of all its ``models`` together; it can be served with fewer of them.
    """

    key: str
    prediction: FloatMatrix
    cost_ns: float
    models: int = 1

    @property
    def least_ns(self) -> float:
        """What it costs when served with one of its models."""
        return self.cost_ns / self.models


@dataclass(frozen=True)
class Blend:
    """Weights by key, summing to 1, and how they came about.

    ``error``, >= 0, is on what was climbed, ``score`` on the asked metric.
    """

    weights: dict[str, float]
    error: float
    score: float
    decision: Decision


class Table:
    """Candidates side by side, and the error of any mean of them.

    Means are named by the places of their members and their weights, of any sum.

    Parameters
    ----------
    candidates
        At least one; all judged on the same rows as ``y`` (n,).
    metric
        What the user asked for. A metric of labels is too coarse to climb on, so errors are then
        of the log-loss.
    most_rows
        To compare on, chosen at random where there are more.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        y: FloatVector,
        weight: FloatVector | None,
        metric: Metric,
        *,
        seed: int,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self.asked = metric
        self._metric = find_metric("log_loss") if metric.needs == "label" else metric
        self._seed = seed
        self._all = y, weight
        n = len(y)
        self._rows = np.arange(n)
        if n > most_rows:
            self._rows = np.sort(np.random.default_rng(seed).choice(n, most_rows, replace=False))
        self._y = y[self._rows]
        self._weight = np.ones(len(self._rows)) if weight is None else weight[self._rows]
        self._put(candidates)

    def among(self, candidates: Sequence[Candidate]) -> Table:
        """Return a table of other candidates, judged on the same rows."""
        other = copy(self)
        other._put(candidates)
        return other

    def _put(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = candidates
        self.predictions = [candidate.prediction[self._rows] for candidate in candidates]

    def error(self, prediction: FloatMatrix) -> float:
        """How far predictions of the chosen rows are from perfect, >= 0."""
        return error_of(self._metric, self._y, prediction, self._weight)

    def best_single(self, most_ns: float = float("inf")) -> int:
        """Return the place of the best candidate among those that cost no more, or of the best."""
        errors = [self.error(prediction) for prediction in self.predictions]
        cheap = [place for place, one in enumerate(self.candidates) if one.cost_ns <= most_ns]
        return min(cheap or range(len(errors)), key=lambda place: errors[place])

    def mean(self, weights: Mapping[int, float], *, chosen: bool = False) -> FloatMatrix:
        """Weighted mean of the predictions of all rows, or of the chosen ones, (n, t)."""
        total = sum(weights.values())
        parts = self.predictions if chosen else [one.prediction for one in self.candidates]
        return mixture((parts[place], n / total) for place, n in weights.items())

    def share_of_wins(self, weights: Mapping[int, float], single: int) -> float:
        """Share of bootstrap resamples in which a mean beats a single candidate."""
        sides = self.mean(weights, chosen=True), self.predictions[single]
        first, second = (as_scored(self._metric, side) for side in sides)
        compared = paired_bootstrap(
            self._metric,
            self._y,
            first,
            second,
            weight=self._weight,
            resamples=RESAMPLES,
            seed=self._seed,
        )
        return compared.share_better

    def blend(self, weights: Mapping[int, float], explain: Callable[[float], Decision]) -> Blend:
        """Return a mean as a blend, judged on all rows; ``explain`` gets its score."""
        mixed = self.mean(weights)
        y, weight = self._all
        score = self.asked.function(y, as_scored(self.asked, mixed), weight)
        return Blend(
            weights=self.shares(weights),
            error=error_of(self._metric, y, mixed, weight),
            score=score,
            decision=explain(score),
        )

    def shares(self, weights: Mapping[int, float]) -> dict[str, float]:
        """Return weights by key, summing to 1."""
        total = sum(weights.values())
        return {self.candidates[place].key: n / total for place, n in weights.items()}


def error_of(
    metric: Metric, y: FloatVector, prediction: FloatMatrix, weight: FloatVector | None
) -> float:
    """How far predictions on the blended scale are from perfect, >= 0."""
    perfect = 1.0 if metric.greater_is_better else 0.0
    return perfect - metric.gain(metric.function(y, as_scored(metric, prediction), weight))


def spread_of(
    metric: Metric,
    y: FloatVector,
    first: FloatMatrix,
    second: FloatMatrix,
    weight: FloatVector | None,
    seed: int,
) -> float:
    """Return the standard error of the difference of two predictions' errors on the same rows."""
    metric = find_metric("log_loss") if metric.needs == "label" else metric
    n, rows = len(y), np.arange(len(y))
    if n > SPREAD_ROWS:
        rows = np.random.default_rng(seed).choice(n, SPREAD_ROWS, replace=False)
    compared = paired_bootstrap(
        metric, y[rows], as_scored(metric, first[rows]), as_scored(metric, second[rows]),
        weight=None if weight is None else weight[rows], resamples=RESAMPLES, level=0.68, seed=seed,
    )  # fmt: skip
    return (compared.high - compared.low) / 2.0 * float(np.sqrt(len(rows) / n))
