"""What the first trials settle for the drafts behind them: which target and features to learn.

The first family is tried on the target itself and on each transform, on the planned features and on
others; of the nets, TabM is tried on curves of numbers. Where one is better by a clear margin, the
other families are not tried on the rest: on a small machine a family that is fitted twice is
another that is not fitted at all.
On a large table each family is tried on a sample first, and only the better half on all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from drivetrain.search.portfolio import FIRST, LINEAR, MAPPED, Draft
from drivetrain.search.recipe import Encoding
from drivetrain.search.target_map import TargetMap
from drivetrain.search.trial import Trial
from drivetrain.search.variants import Variant
from drivetrain.stats.metrics import Metric

CLEAR = 0.01  # share of the error by which one must be better
FEWEST_TO_RACE = 3  # families on a sample, for the worse half to be left out
# Whose trials settle the features of an encoding. What a linear model gains from a transform or
# from curves is its own, and it is cheap.
LEADS: dict[Encoding, str] = {"trees": FIRST, "linear": "tabm"}

T = TypeVar("T")


def settled(draft: Draft, opened: Sequence[tuple[Draft, Trial]], metric: Metric) -> Draft | None:
    """Return the draft as it is still worth a trial, None if it is not.

    A draft on the target itself becomes one on the transform that has clearly won, one on the
    planned features one on those that have; one on what has clearly lost is left out; others stay.

    Parameters
    ----------
    opened
        The drafts that were tried, in their order, with what came of them.
    """
    if draft.sample is not None or draft.encoders is not None:
        return draft
    if lost_on_a_sample(draft.family, opened, metric):
        return None
    if draft.family == LINEAR:
        return draft
    firsts = _firsts(FIRST, opened)
    now = draft
    if draft.family in MAPPED:
        errors = _errors([(d.target, t) for d, t in firsts if d.variant == "planned"], metric)
        target: TargetMap | None = _winner(draft.target, errors, default=None)
        if target != draft.target and draft.target is not None:
            return None
        now = replace(now, target=target)
    firsts = _firsts(LEADS[draft.encoding], opened)
    tried = [(d.variant, t) for d, t in firsts if d.target == firsts[0][0].target]
    variant: Variant = _winner(draft.variant, _errors(tried, metric), default="planned")
    if variant != draft.variant and draft.variant != "planned":
        return None
    return replace(now, variant=variant)


def _firsts(family: str, opened: Sequence[tuple[Draft, Trial]]) -> list[tuple[Draft, Trial]]:
    """Return a family's trials with the parameters that it was tried with first."""
    tried = [(one, trial) for one, trial in opened if one.family == family and one.sample is None]
    return [pair for pair in tried if pair[0].parameters == tried[0][0].parameters]


def lost_on_a_sample(family: str, opened: Sequence[tuple[Draft, Trial]], metric: Metric) -> bool:
    """Tell whether a family was clearly worse on a sample than half of those that were tried on it.

    The order of families hardly changes as a sample grows, and on all rows of a large table each
    takes a minute that another default of a better one would use (successive halving: Jamieson &
    Talwalkar, AISTATS 2016).
    """
    heats = _errors([(d.family, t) for d, t in opened if d.sample is not None], metric)
    if family not in heats or len(heats) < FEWEST_TO_RACE:
        return False
    middle = sorted(heats.values())[(len(heats) - 1) // 2]
    return heats[family] > (1.0 + CLEAR) * middle


def _winner(asked: T, errors: Mapping[T, float], *, default: T) -> T:
    """Return what is clearly better than what is asked for, or else that."""
    if default not in errors or len(errors) < 2 or asked not in errors:
        return asked
    best = min(errors, key=errors.__getitem__)
    return best if errors[best] < (1.0 - CLEAR) * errors[asked] else asked


def _errors(tried: Sequence[tuple[T, Trial]], metric: Metric) -> dict[T, float]:
    """Return the error of the first trial of each."""
    perfect = 1.0 if metric.greater_is_better else 0.0
    errors: dict[T, float] = {}
    for what, trial in tried:
        errors.setdefault(what, perfect - metric.gain(trial.score))
    return errors
