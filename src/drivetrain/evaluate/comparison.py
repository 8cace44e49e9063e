"""Champion and challenger on the same rows: is the one better, not worse, or worse, and where.

Every question is answered on pairs: what is hard for both cancels. The challenger is *better* where
the paired bootstrap interval of the gain lies above zero and the gain is large enough to matter,
*not worse* where the interval lies above minus the margin (a test of non-inferiority), and *unsure
or worse* otherwise. Rows in their order of time are drawn in blocks as long as the two models' loss
differs alike from row to row; rows of groups, group by group. A part of the rows speaks against it
only with evidence: worse there by more than the part's margin, beyond what luck explains among all
parts looked at (Bonferroni, one-sided, 5 % together).

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; Wellek, Testing
Statistical Hypotheses of Equivalence and Noninferiority (2010), ch. 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector, Mask
from drivetrain.core.contract import Contract
from drivetrain.evaluate.answers import Answers
from drivetrain.evaluate.slices import MINIMUM_OF_CLASS, parts_of
from drivetrain.stats.blocks import block_length, block_weights, group_weights
from drivetrain.stats.intervals import PairedDifference, paired_bootstrap, resample_weights
from drivetrain.stats.metric import Metric

Outcome: TypeAlias = Literal["better", "not worse", "unsure", "worse"]
MARGIN = 0.01  # of a metric between 0 and 1
LOSS_MARGIN = 0.02  # of a loss, as a share of the champion's
LEAST_GAIN = 0.1  # of the margin: a smaller gain is not worth a change
SLICE_MARGIN = 2.0  # of the margin
RESAMPLED = 1000  # of all rows
RESAMPLES = 200  # of a part: enough for a standard error within 5 %


class Margins(msgspec.Struct, frozen=True, kw_only=True):
    """How much a difference has to be, in the metric's unit."""

    margin: float  # a challenger that is worse by less is not worse
    least_gain: float  # a challenger that is better by less is a tie
    slice_margin: float  # a part of the rows may be worse by so much


class WorsePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the rows on which the challenger is worse for sure."""

    column: str
    part: str
    rows: int
    champion: float
    challenger: float
    gain: float  # below minus the part's margin
    at_most: float  # what luck leaves possible


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """Two bundles on the same rows; gains > 0 are the challenger's, whatever the metric."""

    metric: str
    rows: int
    champion: float
    challenger: float
    difference: PairedDifference
    margins: Margins
    outcome: Outcome
    looked_at: int  # parts large enough to judge
    worse_parts: tuple[WorsePart, ...]
    block: int = 1  # rows that were drawn together; 0 for groups


@dataclass(frozen=True)
class Sides:
    """What both answer to the same rows, float64 truth (n,)."""

    y: FloatVector
    champion: Answers
    challenger: Answers


def default_margins(metric: Metric, champion: float) -> Margins:
    """Return margins for a champion with this score.

    Examples
    --------
    >>> from drivetrain.stats.metrics import find_metric
    >>> default_margins(find_metric("auc"), 0.9).margin
    0.01
    """
    margin = MARGIN if metric.greater_is_better else LOSS_MARGIN * abs(champion)
    return Margins(
        margin=margin, least_gain=LEAST_GAIN * margin, slice_margin=SLICE_MARGIN * margin
    )


def compare_answers(
    sides: Sides,
    contract: Contract,
    columns: Columns,
    *,
    metric: Metric,
    margins: Margins | None = None,
    minimum_rows: int = 200,
    level: float = 0.99,
    seed: int = 0,
    group: Array | None = None,
) -> Paired:
    """Compare what two bundles answer to the same rows.

    Parameters
    ----------
    sides
        Truth and answers of n rows, in their order of time.
    contract, columns
        The champion's Contract and the rows' typed columns, which make the parts.
    margins
        By default :func:`default_margins`.
    minimum_rows
        Parts with fewer rows are not looked at.
    level
        Of the interval of the gain, two-sided.
    group
        Key of each row, shape (n,): rows of one key are drawn together.
    """
    old, new = (side.read_by(metric) for side in (sides.champion, sides.challenger))
    scores = [metric.function(sides.y, side, None) for side in (old, new)]
    chosen = margins or default_margins(metric, scores[0])
    together = 0 if group is not None else block_length(_loss(sides, False) - _loss(sides, True))

    def draws(resamples: int, seed: int) -> Iterator[FloatVector] | None:
        if group is not None:
            return group_weights(group, resamples=resamples, seed=seed)
        if together == 1:
            return None
        return block_weights(len(sides.y), together, resamples=resamples, seed=seed)

    difference = paired_bootstrap(
        metric, sides.y, new, old, level=level, seed=seed, draws=draws(RESAMPLED, seed)
    )
    parts = list(_parts(sides, contract, columns, minimum_rows))
    limit = NormalDist().inv_cdf(1 - 0.05 / max(1, len(parts)))
    judged = [
        _judge(*part, sides, metric, chosen.slice_margin, limit, draws(RESAMPLES, 0))
        for part in parts
    ]
    return Paired(
        metric=metric.name,
        rows=len(sides.y),
        champion=scores[0],
        challenger=scores[1],
        difference=difference,
        margins=chosen,
        outcome=outcome_of(difference, chosen),
        looked_at=len(parts),
        worse_parts=tuple(part for part in judged if part is not None),
        block=together,
    )


def _loss(sides: Sides, is_new: bool) -> FloatVector:
    """Return each row's squared error, which tells whether rows beside each other err alike."""
    side = sides.challenger if is_new else sides.champion
    if side.probabilities is None:
        return np.asarray((sides.y - side.values) ** 2)
    rows = np.arange(len(sides.y))
    return np.asarray((1.0 - side.probabilities[rows, sides.y.astype(np.int64)]) ** 2)


def outcome_of(difference: PairedDifference, margins: Margins) -> Outcome:
    """Say what an interval of the gain means.

    Examples
    --------
    >>> margins = Margins(margin=0.01, least_gain=0.001, slice_margin=0.02)
    >>> outcome_of(PairedDifference(gain=0.02, low=0.01, high=0.03, share_better=1.0), margins)
    'better'
    """
    if difference.low > 0 and difference.gain >= margins.least_gain:
        return "better"
    if difference.low > -margins.margin:
        return "not worse"
    return "worse" if difference.high < 0 else "unsure"


def _parts(
    sides: Sides, contract: Contract, columns: Columns, minimum_rows: int
) -> Iterator[tuple[str, str, Mask]]:
    for column in contract.columns:
        if not column.private and column.name in columns:
            for label, mask in parts_of(column, columns[column.name]):
                if minimum_rows <= mask.sum() < len(sides.y) and _is_scored(sides, mask):
                    yield column.name, label, mask


def _is_scored(sides: Sides, mask: Mask) -> bool:
    """Leave out parts with hardly a row of a second class: every score of them is noise."""
    if sides.champion.probabilities is None:
        return True
    counts = np.sort(np.unique(sides.y[mask], return_counts=True)[1])
    return len(counts) > 1 and counts[-2] >= MINIMUM_OF_CLASS


def _judge(
    column: str,
    label: str,
    mask: Mask,
    sides: Sides,
    metric: Metric,
    slice_margin: float,
    limit: float,
    drawn: Iterator[FloatVector] | None,
) -> WorsePart | None:
    """Return the part if the challenger is worse on it for sure, by more than the margin."""
    truth = sides.y[mask]
    scorers = [metric.scorer(truth, side.read_by(metric)[mask])
               for side in (sides.champion, sides.challenger)]  # fmt: skip
    ones = np.ones(len(truth))
    old, new = (scorer(ones) for scorer in scorers)
    gain = metric.gain(new) - metric.gain(old)
    if np.isnan(gain) or gain >= -slice_margin:
        return None
    draws: Iterator[FloatVector] = resample_weights(
        truth, stratify=False, resamples=RESAMPLES, seed=0
    )
    if drawn is not None:
        draws = (draw[mask] for draw in drawn)
    gains = [metric.gain(scorers[1](draw)) - metric.gain(scorers[0](draw)) for draw in draws]
    at_most = gain + limit * float(np.nanstd(gains))
    if at_most >= -slice_margin:
        return None
    return WorsePart(
        column=column, part=label, rows=len(truth), champion=old, challenger=new, gain=gain,
        at_most=at_most,
    )  # fmt: skip
