"""How long it will take to fit again, on every row, what a blend is likely to choose."""

from __future__ import annotations

from collections.abc import Sequence

from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import Metric

LIKELY = 4  # members of a blend: the best of each family, then the best of the others
SERVED_NS = 65_000.0  # that all of them together may cost a row, or each is served with one model
SLOWER = 1.3  # than the first time: more rows, and other work beside it
TWICE = 2.0  # a member of fewer models than folds: to be judged, and to ship
KEPT_S = 1.5  # for encoders


def again_s(trials: Sequence[Trial], metric: Metric, workers: int) -> float:
    """Guess the wall seconds for the members that are likely, with the models that are served.

    Parameters
    ----------
    trials
        Those that the blend will choose among; none take no time.
    """
    members = _likely(trials, metric)
    if not members:
        return 0.0
    share = min(1.0, SERVED_NS / max(sum(one.cost_ns for one in members), 1.0))
    times = SLOWER * (TWICE if share < 1.0 else 1.0)
    seconds = sum(one.seconds * max(share, 1.0 / max(len(one.folds), 1)) for one in members)
    return KEPT_S + times * seconds / workers


def _likely(trials: Sequence[Trial], metric: Metric) -> list[Trial]:
    """Return the trials that a blend is likely to have: models of different families differ."""
    ranked = sorted(trials, key=lambda one: -metric.gain(one.score))
    firsts: dict[str, Trial] = {}
    for trial in ranked:
        firsts.setdefault(trial.recipe.family, trial)
    among = {trial.key: trial for trial in (*firsts.values(), *ranked)}
    return list(among.values())[:LIKELY]
