"""Blends: which trials answer together, and with what weight.

Greedy selection with replacement (Caruana et al., ICML 2004) on out-of-fold predictions, in
probability space: in each of up to 25 steps the trial that helps the mean most is added once more.
The best prefix is kept. Selection overfits what it selects on, so the blend replaces the best
single trial only if it also wins in most bootstrap resamples of the same rows. There is a blend
for each cost that may be asked of it; ``drivetrain.search.shrink`` chooses one. A trial may also be
served with some of its folds' models: different trials err more differently than the folds of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.core.findings import Decision
from drivetrain.search.trial import as_scored
from drivetrain.stats.intervals import paired_bootstrap
from drivetrain.stats.metrics import Metric, find_metric

STEPS = 25  # more brings nothing measurable (TabRepo, arXiv 2311.02971)
LEAST_WEIGHT = 0.05
SURE_ENOUGH = 0.6  # share of resamples in which the blend must win
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


def best_blend(
    candidates: Sequence[Candidate],
    y: FloatVector,
    weight: FloatVector | None,
    metric: Metric,
    *,
    most_ns: float,
    seed: int,
    most_rows: int = MOST_ROWS,
    whole: bool = True,
) -> Blend:
    """Choose the members and weights that are best out of fold.

    Parameters
    ----------
    candidates
        At least one; all judged on the same rows as ``y`` (n,).
    metric
        What the user asked for. A metric of labels is too coarse to climb on, so the selection
        then uses log-loss.
    most_ns
        What all members together may cost per served row. Trials that alone cost more are not
        taken, unless all do: then the cheapest is.
    whole
        Whether a trial counts with all of its models, or with one.
    most_rows
        To climb on, chosen at random where there are more.
    """
    if not whole:
        candidates = [replace(one, cost_ns=one.least_ns, models=1) for one in candidates]
    among = _affordable(candidates, most_ns)
    table = Table(among, y, weight, metric, seed=seed, most_rows=most_rows)
    best = table.best_single()
    # From a dear start nothing else may fit beside it, so a cheaper one is tried as well.
    starts = {best, table.best_single(most_ns / 2)}
    climbs = [_climb(table, start, most_ns) for start in sorted(starts)]
    kept = _without_small(min(climbs, key=lambda kept: table.error(table.mean(kept, chosen=True))))
    wins = 0.0 if len(kept) == 1 else table.share_of_wins(kept, best)
    if len(kept) == 1 or wins < SURE_ENOUGH:
        kept = {best: 1}
    return table.blend(kept, lambda score: _explain(table, kept, best, wins, score))


def smaller_blends(
    blend: Blend,
    candidates: Sequence[Candidate],
    y: FloatVector,
    weight: FloatVector | None,
    metric: Metric,
    *,
    seed: int,
    most_rows: int = MOST_ROWS,
) -> tuple[Blend, ...]:
    """Drop a blend's members one after the other, each time the one that is missed the least.

    Returns
    -------
    tuple
        Blends of one member less each, down to a single one; none of a blend that is one already.
    """
    among = [one for one in candidates if one.key in blend.weights]
    table = Table(among, y, weight, metric, seed=seed, most_rows=most_rows)
    weights = {place: blend.weights[one.key] for place, one in enumerate(among)}
    found = []
    while len(weights) > 1:
        fewer = [{p: w for p, w in weights.items() if p != gone} for gone in weights]
        weights = min(fewer, key=lambda each: (table.error(table.mean(each, chosen=True)), *each))
        found.append(table.blend(weights, _explain_fewer(table, weights, len(among))))
    return tuple(found)


def _affordable(candidates: Sequence[Candidate], most_ns: float) -> Sequence[Candidate]:
    cheapest = min(candidate.cost_ns for candidate in candidates)
    return [one for one in candidates if one.cost_ns <= max(most_ns, cheapest)]


class Table:
    """Candidates side by side, and the error of any mean of them.

    Means are named by the places of their members and their weights, of any sum.
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
        self.candidates = candidates
        self.asked = metric
        self._metric = find_metric("log_loss") if metric.needs == "label" else metric
        self._seed = seed
        self._all = y, weight
        n = len(y)
        chosen = np.arange(n)
        if n > most_rows:
            chosen = np.sort(np.random.default_rng(seed).choice(n, most_rows, replace=False))
        self._rows = chosen
        self._y = y[chosen]
        self._weight = np.ones(len(chosen)) if weight is None else weight[chosen]
        self.predictions = [candidate.prediction[chosen] for candidate in candidates]

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
        mixed: FloatMatrix = np.sum([parts[i] * (n / total) for i, n in weights.items()], axis=0)
        return mixed

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


def models_within(
    blend: Blend, candidates: Sequence[Candidate], most_ns: float
) -> dict[str, int] | None:
    """Return with how many of its models each member is served: as many as may be paid for.

    A mean of n models has 1/n of the variance of one, so the next model is that which takes the
    most variance off the blend for its cost. None where one model of each is too much.
    """
    members = [one for one in candidates if one.key in blend.weights]
    models = {member.key: 1 for member in members}

    def worth(member: Candidate) -> float:
        n = models[member.key]
        return blend.weights[member.key] ** 2 / (n * (n + 1)) / max(member.least_ns, 1.0)

    while True:
        spent = sum(models[member.key] * member.least_ns for member in members)
        if spent > most_ns:
            return None
        more = [
            member
            for member in members
            if models[member.key] < member.models and spent + member.least_ns <= most_ns
        ]
        if not more:
            return models
        models[max(more, key=worth).key] += 1


def _climb(table: Table, best: int, most_ns: float) -> dict[int, float]:
    """Return how often each candidate was taken in the best prefix."""
    costs = [candidate.cost_ns for candidate in table.candidates]
    counts = {best: 1.0}
    total = table.predictions[best].copy()
    best_counts, least = dict(counts), table.error(total)
    for step in range(1, STEPS):
        spent = sum(costs[i] for i in counts)
        open_to = [i for i in range(len(costs)) if i in counts or spent + costs[i] <= most_ns]
        errors = {i: table.error((total + table.predictions[i]) / (step + 1)) for i in open_to}
        taken = min(open_to, key=lambda i: (round(errors[i], 9), i not in counts, i))
        counts[taken] = counts.get(taken, 0.0) + 1.0
        total += table.predictions[taken]
        if errors[taken] < least - 1e-9:
            best_counts, least = dict(counts), errors[taken]
    return best_counts


def _without_small(counts: dict[int, float]) -> dict[int, float]:
    total = sum(counts.values())
    return {i: n for i, n in counts.items() if n / total >= LEAST_WEIGHT}


def _explain(
    table: Table, weights: Mapping[int, float], best: int, wins: float, score: float
) -> Decision:
    shares, best_key = table.shares(weights), table.candidates[best].key
    name = table.asked.name
    if len(shares) == 1:
        reason = (
            f"Of {len(table.candidates)} trials it has the best out-of-fold {name}, {score:.5f}"
        )
        reason += (
            f"; the best mean of several beat it in {wins:.0%} of {RESAMPLES} resamples only, "
            "which may be luck, and would cost more to serve."
            if wins > 0
            else "; no affordable mean with others was better."
        )
        return Decision(subject="blend", choice=f"'{best_key}' alone", reason=reason)
    return Decision(
        subject="blend",
        choice=_told(shares),
        reason=f"Their mean has an out-of-fold {name} of {score:.5f} and beats the best "
        f"single trial, '{best_key}', in {wins:.0%} of {RESAMPLES} resamples of the same rows: "
        "models that err differently cancel some of each other's errors.",
    )


def _explain_fewer(
    table: Table, weights: Mapping[int, float], before: int
) -> Callable[[float], Decision]:
    told = _told(table.shares(weights))

    def explain(score: float) -> Decision:
        reason = (
            f"Left of a blend of {before} when those that were missed least had gone; "
            f"its out-of-fold {table.asked.name} is {score:.5f}."
        )
        return Decision(subject="blend", choice=told, reason=reason)

    return explain


def _told(shares: Mapping[str, float]) -> str:
    if len(shares) == 1:
        return f"'{next(iter(shares))}' alone"
    return ", ".join(f"{share:.2f} '{key}'" for key, share in shares.items())
