"""The blend: which trials answer together, and with what weight.

Greedy selection with replacement (Caruana et al., ICML 2004) on out-of-fold predictions, in
probability space: in each of up to 25 steps the trial that helps the mean most is added once more.
The best prefix is kept. Selection overfits what it selects on, so the blend replaces the best
single trial only if it also wins in most bootstrap resamples of the same rows.

Costs are held by tiers. In the dearest one a trial may also be served with some of its folds'
models: different trials err more differently than the folds of one, so members come first, and
what is left of the tier is filled with more models of each.
"""

from __future__ import annotations

from collections.abc import Sequence
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
WORTH = 0.005  # share of the error that a dearer tier must take away
NEAR_ENOUGH = 0.01  # share of the best single's error that a cheap one may have more


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
    """Weights by key, summing to 1, and how they came about. ``score`` is on the asked metric.

    ``models`` says with how many of its models each member is served.
    """

    weights: dict[str, float]
    score: float
    decision: Decision
    models: dict[str, int]


def choose_blend(
    candidates: Sequence[Candidate],
    y: FloatVector,
    weight: FloatVector | None,
    metric: Metric,
    *,
    tiers_ns: Sequence[float],
    seed: int,
    most_rows: int = MOST_ROWS,
) -> Blend:
    """Choose members and weights: the cheapest tier whose error is as good as the best one's.

    Parameters
    ----------
    candidates
        At least one; all judged on the same rows as ``y`` (n,).
    metric
        What the user asked for. A metric of labels is too coarse to climb on, so the selection
        then uses log-loss.
    tiers_ns
        What all members together may cost per served row, ascending. A dearer tier is taken only
        if its error is smaller by more than 0.5 %. Trials one model of which costs more than the
        last tier are not taken, unless all do: then the cheapest is.
    most_rows
        To climb on, chosen at random where there are more.
    """
    candidates = _served_in_time(candidates, tiers_ns[-1])
    climbed = find_metric("log_loss") if metric.needs == "label" else metric
    table = _Table(candidates, y, weight, climbed, seed=seed, most_rows=most_rows)
    climbs = []
    for most_ns in tiers_ns[:-1]:
        start = table.best_single(most_ns)
        if table.costs[start] <= most_ns:
            climbs.append(_climb(table, start, most_ns))
    table.costs = [candidate.least_ns for candidate in candidates]
    # From a dear start nothing else may fit under the tier, so a cheaper one is tried as well.
    starts = {table.best_single(share * tiers_ns[-1]) for share in (1.0, 0.5)}
    last = [_climb(table, start, tiers_ns[-1]) for start in sorted(starts)]
    dearest = min(last, key=lambda climb: climb.error)
    climbs.append(replace(dearest, start=table.best_single(tiers_ns[-1])))
    least = min(climb.error for climb in climbs)
    climb = next(one for one in climbs if one.error <= (1 + WORTH) * least or one.error == least)
    best, kept = climb.start, _without_small(climb.counts)
    mixed = table.mean(kept)
    wins = 0.0 if len(kept) == 1 else table.share_of_wins(mixed, candidates[best].prediction)
    if len(kept) == 1 or wins < SURE_ENOUGH:
        kept = {best: 1}
    total = sum(kept.values())
    weights = {candidates[index].key: count / total for index, count in kept.items()}
    score = metric.function(y, as_scored(metric, table.mean(kept)), weight)
    members = [candidates[index] for index in kept]
    models = {member.key: member.models for member in members}
    if climb is climbs[-1]:
        models = _fill(members, weights, tiers_ns[-1])
    decision = _explain(weights, candidates[best].key, wins, score, metric, len(candidates))
    return Blend(weights=weights, score=score, decision=decision, models=models)


def _served_in_time(candidates: Sequence[Candidate], most_ns: float) -> Sequence[Candidate]:
    cheapest = min(candidate.least_ns for candidate in candidates)
    return [one for one in candidates if one.least_ns <= max(most_ns, cheapest)]


def _fill(
    members: Sequence[Candidate], weights: dict[str, float], most_ns: float
) -> dict[str, int]:
    """Return how many models of each member are served: as many as the tier has room for.

    A mean of n models has 1/n of the variance of one, so the next model is that which takes the
    most variance off the blend for its cost.
    """
    models = {member.key: 1 for member in members}

    def worth(member: Candidate) -> float:
        n = models[member.key]
        return weights[member.key] ** 2 / (n * (n + 1)) / max(member.least_ns, 1.0)

    while True:
        spent = sum(models[member.key] * member.least_ns for member in members)
        more = [
            member
            for member in members
            if models[member.key] < member.models and spent + member.least_ns <= most_ns
        ]
        if not more:
            return models
        models[max(more, key=worth).key] += 1


@dataclass(frozen=True)
class _Climb:
    """The best single trial, how often each was taken, and the error of their mean."""

    start: int
    counts: dict[int, int]
    error: float


class _Table:
    """Candidates side by side, and the gain (greater is better) of any mean of them."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        y: FloatVector,
        weight: FloatVector | None,
        metric: Metric,
        *,
        seed: int,
        most_rows: int,
    ) -> None:
        self._candidates = candidates
        self._metric = metric
        self._seed = seed
        n = len(y)
        chosen = np.arange(n)
        if n > most_rows:
            chosen = np.sort(np.random.default_rng(seed).choice(n, most_rows, replace=False))
        self._rows = chosen
        self._y = y[chosen]
        self._weight = np.ones(len(chosen)) if weight is None else weight[chosen]
        self.predictions = [candidate.prediction[chosen] for candidate in candidates]
        self.costs = [candidate.cost_ns for candidate in candidates]

    def gain(self, prediction: FloatMatrix) -> float:
        """Gain of predictions of the chosen rows."""
        scored = as_scored(self._metric, prediction)
        return self._metric.gain(self._metric.function(self._y, scored, self._weight))

    def error(self, prediction: FloatMatrix, *, chosen: bool = True) -> float:
        """How far predictions are from perfect, >= 0: of the chosen rows, or of all."""
        perfect = 1.0 if self._metric.greater_is_better else 0.0
        return perfect - self.gain(prediction if chosen else prediction[self._rows])

    def best_single(self, most_ns: float) -> int:
        """Return the best candidate, or the best affordable one where it is near enough."""
        errors = [self.error(prediction) for prediction in self.predictions]
        best = int(np.argmin(errors))
        affordable = [i for i, cost in enumerate(self.costs) if cost <= most_ns]
        if best in affordable or not affordable:
            return best
        cheap = min(affordable, key=lambda i: errors[i])
        return cheap if errors[cheap] <= (1 + NEAR_ENOUGH) * errors[best] else best

    def mean(self, counts: dict[int, int]) -> FloatMatrix:
        """Weighted mean of whole predictions, shape (n, t)."""
        total = sum(counts.values())
        parts = [self._candidates[i].prediction * (n / total) for i, n in counts.items()]
        mixed: FloatMatrix = np.sum(parts, axis=0)
        return mixed

    def share_of_wins(self, mixed: FloatMatrix, single: FloatMatrix) -> float:
        """Share of bootstrap resamples in which ``mixed`` beats ``single``, both (n, t)."""
        first, second = (as_scored(self._metric, p[self._rows]) for p in (mixed, single))
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


def _climb(table: _Table, start: int, most_ns: float) -> _Climb:
    """Add what helps most, step by step; the best prefix is the result."""
    counts = {start: 1}
    total = table.predictions[start].copy()
    best_counts, best_gain = dict(counts), table.gain(total)
    for step in range(1, STEPS):
        spent = sum(table.costs[i] for i in counts)
        open_to = [
            i for i in range(len(table.costs)) if i in counts or spent + table.costs[i] <= most_ns
        ]
        gains = {i: table.gain((total + table.predictions[i]) / (step + 1)) for i in open_to}
        taken = max(open_to, key=lambda i: (round(gains[i], 9), i in counts, -i))
        counts[taken] = counts.get(taken, 0) + 1
        total += table.predictions[taken]
        if gains[taken] > best_gain + 1e-9:
            best_counts, best_gain = dict(counts), gains[taken]
    return _Climb(start, best_counts, table.error(table.mean(best_counts), chosen=False))


def _without_small(counts: dict[int, int]) -> dict[int, int]:
    total = sum(counts.values())
    return {i: n for i, n in counts.items() if n / total >= LEAST_WEIGHT}


def _explain(
    weights: dict[str, float], best: str, wins: float, score: float, metric: Metric, tried: int
) -> Decision:
    if len(weights) == 1:
        reason = f"Of {tried} trials it has the best out-of-fold {metric.name}, {score:.5f}"
        reason += (
            f"; the best mean of several beat it in {wins:.0%} of {RESAMPLES} resamples only, "
            "which may be luck, and would cost more to serve."
            if wins > 0
            else "; no affordable mean with others was better."
        )
        return Decision(subject="blend", choice=f"'{best}' alone", reason=reason)
    shares = ", ".join(f"{share:.2f} '{key}'" for key, share in weights.items())
    return Decision(
        subject="blend",
        choice=shares,
        reason=f"Their mean has an out-of-fold {metric.name} of {score:.5f} and beats the best "
        f"single trial, '{best}', in {wins:.0%} of {RESAMPLES} resamples of the same rows: "
        "models that err differently cancel some of each other's errors.",
    )
