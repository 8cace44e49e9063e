"""Intervals and sets that hold the truth in a stated share of rows, by conformal prediction.

Scores of how strange the truth is beside the prediction are taken out of fold, so that no model is
asked about rows it has learned from; the interval reaches as far as the score that is not exceeded
in the stated share of them (cross-conformal prediction: Vovk, Ann. Math. Artif. Intell. 2015;
docs/decisions/0037-conformal.md). It holds for rows drawn as the training rows were, whatever the
model; of later rows in a series nobody can promise it.
"""

from __future__ import annotations

import math

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, IndexVector, Mask
from drivetrain.core.findings import Decision
from drivetrain.graph.extras.interval import PredictionInterval
from drivetrain.graph.extras.prediction_set import PredictionSet

PARTS = 5
MOST_ROWS = 200_000  # that are enough for a quantile
LEVEL_ROWS = 50  # of one level of the prediction, at a coverage of 0.9
MOST_LEVELS = 12
SURE = 2.0  # standard errors by which a gain, or a loss, must be above 0
NARROWEST = 0.02  # of the usual width: a level without errors is luck


def rows_needed(coverage: float) -> int:
    """Return the fewest rows of which a quantile can promise the coverage.

    Examples
    --------
    >>> rows_needed(0.9)
    9
    """
    return math.ceil(coverage / (1.0 - coverage) - 1e-9)


def conformal_quantile(
    scores: FloatVector, coverage: float, weight: FloatVector | None = None
) -> float:
    """Return the score that a new row exceeds with a probability of at most ``1 - coverage``.

    The ``ceil((n + 1) coverage)``-th smallest of n; with weights, as if the new row weighed as
    much as the heaviest. Infinite where there are too few rows.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 10.0), 0.9)
    9.0
    """
    order = np.argsort(scores, kind="stable")
    weights = np.ones(len(scores)) if weight is None else weight[order]
    sums = np.cumsum(weights)
    wanted = coverage * (sums[-1] + weights.max())
    place = int(np.searchsorted(sums, wanted * (1 - 1e-12)))
    return float(scores[order][place]) if place < len(scores) else math.inf


def choose_interval(
    prediction: FloatVector,
    y: FloatVector,
    weight: FloatVector | None,
    coverage: float,
    *,
    seed: int = 0,
) -> tuple[PredictionInterval, Decision]:
    """Choose how far the interval reaches: the same everywhere, or by the prediction's level.

    The level decides where that makes the interval surely shorter, misses counted (the interval
    score of Gneiting and Raftery, JASA 2007), on rows that its curve was not fitted on.

    Parameters
    ----------
    prediction, y
        Out of fold, and the truth, (n,) each; n >= :func:`rows_needed`.
    """
    prediction, y, weight = _some(seed, prediction, y, weight)
    flat = np.abs(y - prediction)
    reach = max(conformal_quantile(flat, coverage, weight), np.finfo(np.float64).tiny)
    one = PredictionInterval(np.zeros(1), np.full(1, reach), np.full(1, reach))
    levels = min(MOST_LEVELS, int(len(y) * (1 - coverage) / (0.1 * LEVEL_ROWS)))
    if levels < 2 or not np.ptp(prediction):
        return one, _said(coverage, f"{2 * reach:.6g} wide everywhere", f"{len(y):,} rows.")
    part = np.random.default_rng(seed).permutation(len(y)) % PARTS
    below, above = np.zeros(len(y)), np.zeros(len(y))
    for number in range(PARTS):
        judge = part == number
        curve = _levels(prediction[~judge], y[~judge], coverage, levels)
        below[judge], above[judge] = curve.reach(prediction[judge])
    error = y - prediction
    scores = np.where(error < 0, -error / below, error / above)
    factor = conformal_quantile(scores, coverage, weight)
    by_level = _interval_scores(error, factor * below, factor * above, coverage)
    everywhere = _interval_scores(error, one.below, one.above, coverage)
    gain = everywhere - by_level
    mean, doubt = float(gain.mean()), float(gain.std() / math.sqrt(len(gain)))
    why = (
        f"Misses counted, an interval by the prediction's level is {mean / everywhere.mean():.1%} "
        f"shorter than one of equal width (standard error {doubt / everywhere.mean():.1%}), out "
        f"of fold on {len(y):,} rows."
    )
    if mean <= SURE * doubt:
        return one, _said(coverage, f"{2 * reach:.6g} wide everywhere", why)
    curve = _levels(prediction, y, coverage, levels)
    widened = PredictionInterval(curve.knots, factor * curve.below, factor * curve.above)
    width = widened.below + widened.above
    return widened, _said(coverage, f"{width.min():.6g} to {width.max():.6g} wide", why)


def choose_set(
    probabilities: FloatMatrix,
    y: FloatVector,
    weight: FloatVector | None,
    coverage: float,
    *,
    seed: int = 0,
) -> tuple[PredictionSet, Decision]:
    """Choose from which probability on a class is in the set: one for all classes, or one each.

    One for all gives the smallest sets (Sadinle, Lei and Wasserman, JASA 2019) and may leave a
    rare class out most of the time. Where out of fold the true rows of a class are surely covered
    less often than asked, each class has a threshold from its own rows, so that each is covered.

    Parameters
    ----------
    probabilities, y
        Out of fold, (n, K), and the true class numbers, (n,); n >= :func:`rows_needed`.
    """
    probabilities, y, weight = _some(seed, probabilities, y, weight)
    number: IndexVector = y.astype(np.int64)
    true = probabilities[np.arange(len(y)), number]
    classes = probabilities.shape[1]
    pooled = PredictionSet(np.full(classes, _least(true, coverage, weight), np.float32))
    is_in = pooled.of(probabilities)[np.arange(len(y)), number]
    missed = [k for k in range(classes) if _is_missed(is_in[number == k], coverage)]
    if not missed:
        size = pooled.of(probabilities).sum(axis=1).mean()
        return pooled, _said(
            coverage,
            f"classes from a probability of {pooled.least[0]:.4f} on",
            f"Out of fold that makes {size:.2f} classes a row, and covers every class.",
        )
    least = pooled.least.copy()
    for k in range(classes):
        own = number == k
        if own.sum() >= rows_needed(coverage):
            least[k] = _least(true[own], coverage, None if weight is None else weight[own])
    each = PredictionSet(least)
    sizes = [chosen.of(probabilities).sum(axis=1).mean() for chosen in (pooled, each)]
    worst = min(float(is_in[number == k].mean()) for k in missed)
    return each, _said(
        coverage,
        f"classes from probabilities of {least.min():.4f} to {least.max():.4f} on, each its own",
        f"With one for all, a class would be covered in {worst:.1%} of its rows only. It costs "
        f"{sizes[1]:.2f} classes a row instead of {sizes[0]:.2f}.",
    )


def _some(
    seed: int, first: FloatMatrix, y: FloatVector, weight: FloatVector | None
) -> tuple[FloatMatrix, FloatVector, FloatVector | None]:
    if len(y) <= MOST_ROWS:
        return first, y, weight
    chosen = np.sort(np.random.default_rng(seed).choice(len(y), MOST_ROWS, replace=False))
    return first[chosen], y[chosen], None if weight is None else weight[chosen]


def _levels(
    prediction: FloatVector, y: FloatVector, coverage: float, levels: int
) -> PredictionInterval:
    """Read from each level of the prediction how far the truth lies below and above it."""
    place = np.argsort(prediction, kind="stable")
    beyond = (1.0 + coverage) / 2
    usual = max(float(np.quantile(np.abs(y - prediction), coverage)), np.finfo(np.float64).tiny)
    knots, below, above = [], [], []
    for rows in np.array_split(place, levels):
        error = y[rows] - prediction[rows]
        knots.append(float(prediction[rows].mean()))
        below.append(float(np.quantile(-error, beyond)))
        above.append(float(np.quantile(error, beyond)))
    rises = np.concatenate([[True], np.diff(knots) > 1e-9 * (abs(knots[0]) + abs(knots[-1]))])
    reach = np.maximum(np.array([below, above]), NARROWEST * usual)[:, rises]
    return PredictionInterval(np.array(knots)[rises], reach[0], reach[1])


def _interval_scores(
    error: FloatVector, below: FloatVector, above: FloatVector, coverage: float
) -> FloatVector:
    """Return width, and ``2 / (1 - coverage)`` times how far the truth lies outside, (n,)."""
    outside = np.maximum(np.maximum(-error - below, error - above), 0.0)
    return np.asarray(below + above + 2.0 / (1.0 - coverage) * outside)


def _least(true: FloatVector, coverage: float, weight: FloatVector | None) -> np.float32:
    """Return the probability that the true class has in the stated share of rows, rounded down."""
    wanted = -conformal_quantile(-true, coverage, weight)
    if wanted <= 0:
        return np.float32(0.0)
    least = np.float32(wanted)
    return least if least <= wanted else np.nextafter(least, np.float32(0.0))


def _is_missed(is_in: Mask, coverage: float) -> bool:
    """Tell whether a class is surely in the set less often than asked."""
    if not len(is_in):
        return False
    error = math.sqrt(coverage * (1.0 - coverage) / len(is_in))
    return bool(is_in.mean() < coverage - SURE * error)


def _said(coverage: float, choice: str, reason: str) -> Decision:
    return Decision(subject=f"coverage of {coverage:g}", choice=choice, reason=reason)
