"""Bootstrap intervals: how far a score may lie from what more rows would show.

A resample is drawn as whole-number weights of the rows and given to the metric's prepared form
(:mod:`drivetrain.stats.metric`). For classifications the draw is within each class, so no resample
loses a rare one. Intervals are percentiles; BCa would need a jackknife, one evaluation for each
row, and differs little at the sizes where a holdout is worth anything.

Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.core.errors import SettingError
from drivetrain.stats.metric import Metric, Weighted
from drivetrain.stats.metrics import as_needed, find_metric

RESAMPLES = 1000


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A score and the interval around it; NaN where the metric is undefined on the rows."""

    score: float
    low: float
    high: float
    level: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.95


class PairedDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How much better ``first`` is than ``second`` on the same rows; > 0 is better, any metric."""

    gain: float
    low: float
    high: float
    share_better: float  # share of resamples in which the gain is > 0
    level: float = 0.95


def resample_weights(
    y: FloatVector, *, stratify: bool, resamples: int, seed: int
) -> Iterator[FloatVector]:
    """Yield how often each row is drawn, float64 (n,), once for each resample."""
    rng = np.random.default_rng(seed)
    n = len(y)
    if not stratify:
        for _ in range(resamples):
            yield np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        return
    order = np.argsort(y, kind="stable")
    _, starts, sizes = np.unique(y[order], return_index=True, return_counts=True)
    first, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    for _ in range(resamples):
        drawn = order[first + (rng.random(n) * size).astype(np.int64)]
        yield np.bincount(drawn, minlength=n).astype(np.float64)


def bootstrap_interval(
    metric: str | Metric,
    y: FloatVector,
    prediction: Array,
    *,
    weight: FloatVector | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    stratify: bool | None = None,
    seed: int = 0,
) -> Interval:
    """Score predictions and bound the score by a percentile bootstrap over the rows.

    Parameters
    ----------
    metric, y, prediction, weight
        As :func:`drivetrain.stats.metrics.score` takes them.
    resamples
        Draws, >= 2; 1000 settle a 95 % interval to about a tenth of its width.
    level
        Share of resamples inside, 0 < level < 1.
    stratify
        Draw within each class; by default for every metric that is not of values.

    Examples
    --------
    >>> y = np.arange(100.0)
    >>> interval = bootstrap_interval("mae", y, y + np.tile([0.0, 2.0], 50))
    >>> interval.score, interval.low < 1 < interval.high
    (1.0, True)
    """
    found = find_metric(metric)
    _check(level, resamples)
    scorer = found.scorer(y, as_needed(found, prediction))
    base = np.ones(len(y)) if weight is None else weight
    stratified = found.needs != "value" if stratify is None else stratify
    draws = resample_weights(y, stratify=stratified, resamples=resamples, seed=seed)
    return interval_of(scorer(base), resampled_scores([scorer], base, draws)[0], level=level)


def paired_bootstrap(
    metric: str | Metric,
    y: FloatVector,
    first: Array,
    second: Array,
    *,
    weight: FloatVector | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    draws: Iterator[FloatVector] | None = None,
) -> PairedDifference:
    """Compare two predictors on the same rows, each resample drawn once for both.

    Far sharper than comparing two intervals: what is hard for both cancels.

    Parameters
    ----------
    draws
        How often each row is drawn, once for each resample, as :mod:`drivetrain.stats.blocks` draws
        a series or groups; by default rows are drawn one by one.

    Examples
    --------
    >>> y = np.arange(50.0)
    >>> paired_bootstrap("rmse", y, y + 1, y + 2).gain
    1.0
    """
    found = find_metric(metric)
    _check(level, resamples)
    base = np.ones(len(y)) if weight is None else weight
    scorers = [found.scorer(y, as_needed(found, side)) for side in (first, second)]
    if draws is None:
        stratify = found.needs != "value"
        draws = resample_weights(y, stratify=stratify, resamples=resamples, seed=seed)
    one, other = resampled_scores(scorers, base, draws)
    scores = found.gain(scorers[0](base)), found.gain(scorers[1](base))
    gains = one - other if found.greater_is_better else other - one
    return difference_of(scores[0] - scores[1], gains, level=level)


def interval_of(score: float, resampled: FloatVector, *, level: float = 0.95) -> Interval:
    """Bound a score by the percentiles of its resamples."""
    low, high = _percentiles(resampled, level)
    return Interval(score=score, low=low, high=high, level=level)


def difference_of(gain: float, resampled: FloatVector, *, level: float = 0.95) -> PairedDifference:
    """Bound a gain by the percentiles of the gains in the same resamples."""
    low, high = _percentiles(resampled, level)
    better = float(np.mean(resampled > 0))
    return PairedDifference(gain=gain, low=low, high=high, share_better=better, level=level)


def resampled_scores(
    scorers: Sequence[Weighted], base: FloatVector, draws: Iterator[FloatVector]
) -> FloatMatrix:
    """Return every scorer's score in every draw, shape (scorers, draws): one draw serves all.

    ``base`` are the weights of the rows, ones where they have none.
    """
    return np.array([[scorer(base * draw) for scorer in scorers] for draw in draws]).T


def _percentiles(scores: FloatVector, level: float) -> tuple[float, float]:
    """Percentiles over the resamples in which the metric is defined."""
    defined = scores[~np.isnan(scores)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check(level: float, resamples: int) -> None:
    if not 0 < level < 1:
        raise SettingError(
            where="setting 'level'",
            expected="a number between 0 and 1",
            got=str(level),
            remedy="Use 0.95.",
            code="DT2F0",
        )
    if resamples < 2:
        raise SettingError(
            where="setting 'resamples'",
            expected="at least 2",
            got=str(resamples),
            remedy="Use 1000.",
            code="DT265",
        )
