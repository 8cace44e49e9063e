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
from dataclasses import replace

from drivetrain.core.findings import Decision
from drivetrain.search.blend_table import RESAMPLES, Blend, Candidate, Table

STEPS = 25  # more brings nothing measurable (TabRepo, arXiv 2311.02971)
LEAST_WEIGHT = 0.05
SURE_ENOUGH = 0.6  # share of resamples in which the blend must win


def best_blend(table: Table, *, most_ns: float, whole: bool = True) -> Blend:
    """Choose the members and weights that are best out of fold.

    Parameters
    ----------
    most_ns
        What all members together may cost per served row. Trials that alone cost more are not
        taken, unless all do: then the cheapest is.
    whole
        Whether a trial counts with all of its models, or with one.
    """
    candidates = table.candidates
    if not whole:
        candidates = [replace(one, cost_ns=one.least_ns, models=1) for one in candidates]
    table = table.among(_affordable(candidates, most_ns))
    best = table.best_single()
    # From a dear start nothing else may fit beside it, so a cheaper one is tried as well.
    starts = {best, table.best_single(most_ns / 2)}
    climbs = [_climb(table, start, most_ns) for start in sorted(starts)]
    kept = _without_small(min(climbs, key=lambda kept: table.error(table.mean(kept, chosen=True))))
    wins = 0.0 if len(kept) == 1 else table.share_of_wins(kept, best)
    if len(kept) == 1 or wins < SURE_ENOUGH:
        kept = {best: 1}
    return table.blend(kept, lambda score: _explain(table, kept, best, wins, score))


def smaller_blends(blend: Blend, table: Table) -> tuple[Blend, ...]:
    """Drop a blend's members one after the other, each time the one that is missed the least.

    Returns
    -------
    tuple
        Blends of one member less each, down to a single one; none of a blend that is one already.
    """
    among = [one for one in table.candidates if one.key in blend.weights]
    table = table.among(among)
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
