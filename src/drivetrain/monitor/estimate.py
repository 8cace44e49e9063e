"""Quality before labels come: what the metric will turn out to be, with an interval.

For classes, the counts of probabilities over their grid and the calibration say how many rows of
each cell are of the class. Drawing calibrations as unsure as they are, and labels by them, gives
the metrics that may turn out (confidence-based estimation). For values, the loss tables give the
expected loss (direct loss estimation). Both assume that the chances given a row are as they were
in training: where the world's rule changed, only labels tell.

Source: Białek et al., arXiv 2407.08649 (estimating from calibrated confidence).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Target
from drivetrain.monitor.reference import Reference
from drivetrain.monitor.scores import TOP, ScoreReference
from drivetrain.monitor.window import WindowSketch
from drivetrain.stats.score_sketch import grid

DRAWS = 400
_Z = 1.959963984540054


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as it will turn out, in 95 of 100 windows between ``low`` and ``high``."""

    metric: str
    score: float
    low: float
    high: float
    rows: int
    method: str  # "confidence", "loss table"


class Cells:
    """One class's filled cells with drawn numbers of events, shape (draws, 2, cells)."""

    def __init__(self, score: ScoreReference, counts: IndexVector, seed: int) -> None:
        random = np.random.default_rng(seed)
        filled = np.flatnonzero(counts.sum(axis=0))
        counts, middle = counts[:, filled], grid()[filled]
        chances = np.clip(score.calibration.drawn(middle, DRAWS, random), 0.0, 1.0)
        self.rows = counts.astype(np.float64)
        both = np.broadcast_to(counts, (DRAWS, *counts.shape))
        self.events = random.binomial(both, chances[:, None, :]).astype(np.float64)
        # the first draw is the expectation itself: the estimate's middle
        self.events[0] = counts * score.calibration.chances(middle)
        self.probability = middle

    def auc(self) -> FloatVector:
        """Area under the ROC curve of each draw; equal cells count half."""
        events = self.events.sum(axis=1)
        others = self.rows.sum(axis=0) - events
        below = np.cumsum(others, axis=1) - others / 2
        area = events.sum(axis=1) * others.sum(axis=1)
        return _divided((events * below).sum(axis=1), area)

    def average_precision(self) -> FloatVector:
        """Average precision of each draw."""
        events = self.events.sum(axis=1)[:, ::-1]
        rows = self.rows.sum(axis=0)[::-1]
        # the rows of a cell lie apart in truth: an event's precision is that of the cell's middle
        found = np.cumsum(events, axis=1) - events / 2 + 0.5
        precision = np.minimum(1.0, found / (np.cumsum(rows) - rows / 2 + 0.5))
        return _divided((events * precision).sum(axis=1), events.sum(axis=1))

    def log_loss(self) -> FloatVector:
        """Mean -ln p of the label of each draw."""
        events = self.events.sum(axis=1)
        others = self.rows.sum(axis=0) - events
        losses = events @ -np.log(self.probability) + others @ -np.log1p(-self.probability)
        return np.asarray(losses / self.rows.sum())

    def brier(self) -> FloatVector:
        """Mean squared error of the probability of each draw."""
        events = self.events.sum(axis=1)
        others = self.rows.sum(axis=0) - events
        losses = events @ (1 - self.probability) ** 2 + others @ self.probability**2
        return np.asarray(losses / self.rows.sum())

    def confusion(self) -> FloatMatrix:
        """True negatives, false positives, false negatives, true positives: (4, draws)."""
        events = self.events.sum(axis=2)
        rows = self.rows.sum(axis=1)
        return np.array([rows[0] - events[:, 0], rows[1] - events[:, 1], events[:, 0],
                         events[:, 1]])  # fmt: skip


def _divided(top: FloatVector, bottom: FloatVector) -> FloatVector:
    result: FloatVector = np.full(len(top), np.nan)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def _accuracy(cells: Cells) -> FloatVector:
    negative, _, _, positive = cells.confusion()
    return np.asarray((negative + positive) / cells.rows.sum())


def _f1(cells: Cells) -> FloatVector:
    _, false, missed, true = cells.confusion()
    return np.nan_to_num(_divided(2 * true, 2 * true + false + missed))


def _balanced(cells: Cells) -> FloatVector:
    negative, false, missed, true = cells.confusion()
    recalls = [_divided(true, true + missed), _divided(negative, negative + false)]
    return np.asarray(np.nanmean(np.array(recalls), axis=0))


def _matthews(cells: Cells) -> FloatVector:
    negative, false, missed, true = cells.confusion()
    top = true * negative - false * missed
    sides = (true + false, true + missed, negative + false, negative + missed)
    return np.nan_to_num(_divided(top, np.sqrt(sides[0] * sides[1] * sides[2] * sides[3])))


_BINARY: dict[str, Callable[[Cells], FloatVector]] = {
    "auc": Cells.auc,
    "average_precision": Cells.average_precision,
    "log_loss": Cells.log_loss,
    "brier": Cells.brier,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
    "f1": _f1,
    "mcc": _matthews,
}
_VALUE = {"mae": "absolute", "rmse": "squared"}


def estimable(target: Target, metric: str, reference: Reference) -> str:
    """Return the metric itself where it can be estimated, else the nearest one that can."""
    if target.task == "regression":
        return metric if metric in _VALUE else "rmse"
    if target.task == "binary":
        return metric if metric in _BINARY else "auc"
    complete = all(name in reference.scores for name in target.classes)
    return metric if complete and metric in {"auc", "log_loss"} else "accuracy"


def estimate(
    target: Target, reference: Reference, window: WindowSketch, metric: str, *, seed: int = 0
) -> Estimate | None:
    """Estimate a metric over a window; None for one without rows.

    Parameters
    ----------
    metric
        As :func:`estimable` returned it.
    """
    if not window.rows:
        return None
    if target.task == "regression":
        return _loss(reference, window, metric)
    if target.task == "binary":
        name = target.classes[1]
        cells = Cells(reference.scores[name], window.scores[name], seed)
        drawn = _BINARY[metric](cells)
    else:
        drawn = _multiclass(target, reference, window.scores, metric, seed)
    return _of_draws(metric, drawn, window.rows)


def _multiclass(
    target: Target,
    reference: Reference,
    counts: Mapping[str, IndexVector],
    metric: str,
    seed: int,
) -> FloatVector:
    if metric == "accuracy":
        return _accuracy(Cells(reference.scores[TOP], counts[TOP], seed))
    cells = [
        Cells(reference.scores[name], counts[name], seed + k)
        for k, name in enumerate(target.classes)
    ]
    if metric == "auc":
        return np.asarray(np.nanmean(np.array([part.auc() for part in cells]), axis=0))
    # each row's loss is at its own class: events of the classes together are the rows
    losses = [part.events.sum(axis=1) @ -np.log(part.probability) for part in cells]
    rows = np.sum([part.events.sum(axis=(1, 2)) for part in cells], axis=0)
    return _divided(np.sum(losses, axis=0), rows)


def _of_draws(metric: str, drawn: FloatVector, rows: int) -> Estimate | None:
    if np.isnan(drawn[0]):
        return None
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(
        metric=metric,
        score=float(drawn[0]),
        low=float(min(low, drawn[0])),
        high=float(max(high, drawn[0])),
        rows=rows,
        method="confidence",
    )


def _loss(reference: Reference, window: WindowSketch, metric: str) -> Estimate:
    subjects = {s.name: s.sketch for s in (*reference.columns, *reference.outputs)}
    table = reference.losses[_VALUE[metric]]
    loss, error = table.estimate(subjects, {**window.columns, **window.outputs})
    bounds = [loss, max(0.0, loss - _Z * error), loss + _Z * error]
    if metric == "rmse":
        bounds = [float(np.sqrt(value)) for value in bounds]
    return Estimate(
        metric=metric, score=bounds[0], low=bounds[1], high=bounds[2], rows=window.rows,
        method="loss table",
    )  # fmt: skip
