"""What the first trials settle for the drafts behind them: which transform of the target to learn.

The first family is tried on the target itself and on each transform. Where one of them is better
by a clear margin, the other families of its kind are not tried on the rest: on a small machine
a family that is fitted twice is another family that is not fitted at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drivetrain.search.portfolio import FIRST, MAPPED, Draft
from drivetrain.search.target_map import TargetMap
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import Metric

CLEAR = 0.01  # share of the error by which one must be better
FOLLOWS_ITSELF = "linear"  # what a linear model gains from a transform is its own, and it is cheap


def settled(draft: Draft, trials: Iterable[Trial], metric: Metric) -> Draft | None:
    """Return the draft as it is still worth a trial, None if it is not.

    A draft on the target itself becomes one on the transform that has clearly won, one on a
    transform that has clearly lost is left out; all others stay.
    """
    if draft.family not in MAPPED or draft.family == FOLLOWS_ITSELF or draft.sample is not None:
        return draft
    errors = _errors(trials, metric)
    if None not in errors or len(errors) < 2:
        return draft
    best = min(errors, key=errors.__getitem__)
    limit = (1.0 - CLEAR) * errors[draft.target] if draft.target in errors else 0.0
    if errors[best] >= limit:
        return draft
    return replace(draft, target=best) if draft.target is None else None


def _errors(trials: Iterable[Trial], metric: Metric) -> dict[TargetMap | None, float]:
    """Return the error of the first family's first trial on the target and on each transform."""
    perfect = 1.0 if metric.greater_is_better else 0.0
    firsts = [one for one in trials if one.recipe.family == FIRST and one.recipe.sample is None]
    errors: dict[TargetMap | None, float] = {}
    for one in firsts:
        same = one.recipe.parameters == firsts[0].recipe.parameters
        if same and one.recipe.encoders == firsts[0].recipe.encoders:
            errors.setdefault(one.recipe.target, perfect - metric.gain(one.score))
    return errors
