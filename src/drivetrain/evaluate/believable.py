"""Are labels believable: does a model that knew the target still know anything of it?

A world that changes leaves a model worse, hardly ever ignorant: on public sets whose rule changes
all the time the champion kept a third of its lead over a constant and more. Labels that were
shuffled leave none, labels of swapped classes turn it over. On such rows the model that knows less
wins, whichever is better in truth, so no comparison on them means anything.
"""

from __future__ import annotations

import math

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.contract import Target
from drivetrain.evaluate.answers import Answers
from drivetrain.evaluate.scorecard import Scorecard, constant_answers, constant_baseline
from drivetrain.stats.intervals import bootstrap_interval
from drivetrain.stats.metric import Metric

SHARE = 0.2  # of the lead over a constant in training
_RESAMPLES = 200


def lead(metric: Metric, score: float, constant: float) -> float:
    """Return how far a score is ahead of a constant answer's; of a loss as a share of it.

    Examples
    --------
    >>> from drivetrain.stats.metrics import find_metric
    >>> lead(find_metric("rmse"), 25.0, 100.0), lead(find_metric("auc"), 0.75, 0.5)
    (0.75, 0.25)
    """
    if metric.greater_is_better:
        return score - constant
    return 1.0 - score / constant if constant else math.nan


def doubt(
    card: Scorecard,
    target: Target,
    y: FloatVector,
    answers: Answers,
    *,
    metric: Metric,
    share: float = SHARE,
) -> str:
    """Say why labels are not believable, in words; empty where they are, or nothing tells.

    Parameters
    ----------
    card
        The model's Scorecard of training.
    y, answers
        Labels of n rows, and what the model answers to them.
    share
        Least share of its lead in training that the model must still show, at the favourable end
        of a 95 % interval.
    """
    if target.task != "regression" and len(np.unique(y)) < 2:
        return f"all {len(y):,} labels are of one class"
    known = next((one for one in card.measures if one.metric == metric.name), None)
    if known is None or known.constant is None:
        return ""
    before = lead(metric, known.model.score, known.constant)
    constant = constant_answers(constant_baseline(y, target, None), target, len(y))
    least = metric.function(y, constant.read_by(metric), None)
    now = bootstrap_interval(metric, y, answers.read_by(metric), resamples=_RESAMPLES)
    favourable = lead(metric, now.high if metric.greater_is_better else now.low, least)
    if not before > 0 or not math.isfinite(favourable) or favourable >= share * before:
        return ""
    return (
        f"the champion's {metric.name} on them is {now.score:.5g}, a constant's {least:.5g}; in "
        f"training it was {known.model.score:.5g} and {known.constant:.5g}. Labels that were "
        "shuffled or swapped look like this"
    )
