"""The decision threshold: from which probability on the answer is class 1."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.findings import Decision
from drivetrain.stats.metrics import Metric

TUNED = ("f1", "f1_macro", "balanced_accuracy", "mcc")  # accuracy is best at 0.5 where p is honest
LEAST_MINORITY = 50  # with fewer rows of the rarer class the best threshold is noise
CANDIDATES = 200
PARTS = 5


def choose_threshold(
    probability: FloatVector, y: FloatVector, weight: FloatVector | None, metric: Metric, seed: int
) -> tuple[float, Decision]:
    """Choose the threshold that serves a metric of labels, on out-of-fold probabilities.

    The best threshold of one sample is noisy, so it is found on five samples of four fifths of the
    rows, and averaged.

    Parameters
    ----------
    probability
        Of class 1, out of fold, shape (n,).

    Returns
    -------
    tuple
        The threshold in (0, 1), 0.5 for every metric that gains nothing from another, and why.
    """
    minority = int(min((y == 1).sum(), (y == 0).sum()))
    if metric.name not in TUNED or minority < LEAST_MINORITY:
        return 0.5, _kept(metric, minority)
    part = np.random.default_rng(seed).permutation(len(y)) % PARTS
    found = []
    for number in range(PARTS):
        rows = part != number
        some = None if weight is None else weight[rows]
        found.append(_best(probability[rows], y[rows], some, metric))
    threshold = float(np.mean(found))
    before = _score(probability, y, weight, metric, 0.5)
    after = _score(probability, y, weight, metric, threshold)
    if metric.gain(after) <= metric.gain(before):
        return 0.5, _kept(metric, minority)
    return threshold, Decision(
        subject="threshold",
        choice=f"{threshold:.4f}",
        reason=f"Out of fold, {metric.name} is {after:.4f} there and {before:.4f} at 0.5. Moving "
        "the threshold does what resampling the classes would do, and leaves the probabilities "
        "honest.",
    )


def _best(
    probability: FloatVector, y: FloatVector, weight: FloatVector | None, metric: Metric
) -> float:
    candidates = np.unique(np.quantile(probability, np.linspace(0.005, 0.995, CANDIDATES)))
    gains = [metric.gain(_score(probability, y, weight, metric, c)) for c in candidates]
    return float(candidates[int(np.argmax(gains))])


def _score(
    probability: FloatVector,
    y: FloatVector,
    weight: FloatVector | None,
    metric: Metric,
    threshold: float,
) -> float:
    return metric.function(y, (probability > threshold).astype(np.float64), weight)


def _kept(metric: Metric, minority: int) -> Decision:
    if metric.name in TUNED and minority < LEAST_MINORITY:
        reason = f"The rarer class has {minority} rows: too few to find a better one."
    elif metric.name in TUNED:
        reason = f"No other threshold raises {metric.name} out of fold."
    else:
        reason = f"{metric.name} gains nothing from another threshold."
    return Decision(subject="threshold", choice="0.5", reason=reason)
