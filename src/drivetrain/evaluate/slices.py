"""Where the model is weak: its score on parts of the rows.

Each value of a category, each quarter of a number, and the rows where a column is missing make a
part. Hundreds of parts are looked at, so some look bad by luck alone. A part is called weak only if
its score lies below the whole's by more than luck explains among all parts looked at (Bonferroni,
one-sided, 5 % for the whole table), and by enough to matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import msgspec
import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns, FloatVector, Mask
from drivetrain.core.contract import Column, Contract
from drivetrain.evaluate.answers import Answers
from drivetrain.stats.intervals import resample_weights
from drivetrain.stats.metric import Metric

MINIMUM_ROWS = 50
MINIMUM_OF_CLASS = 10  # rows of each of two classes, below which a ranking metric is mere noise
MOST_VALUES = 30  # of one column, the most frequent
MOST_SHOWN = 40
RESAMPLES = 200  # enough for a standard error within 5 %


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The score on one part of the rows."""

    column: str
    part: str  # "= Private", "28 to 37", "is missing"
    rows: int
    score: float
    low: float  # 95 % interval
    high: float
    gap: float  # how much worse than the whole, > 0 is worse whichever way the metric points
    weak: bool  # worse than luck explains, and by enough to matter
    predicted: float | None = None  # mean probability of class 1, or mean value
    observed: float | None = None


class SliceTable(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of the rows, the worst first."""

    metric: str
    whole: float
    minimum_rows: int
    minimum_gap: float  # smaller ones do not matter
    looked_at: int  # parts large enough to judge
    slices: tuple[Slice, ...]  # the worst of them

    @property
    def weak(self) -> tuple[Slice, ...]:
        """Parts that are worse than luck explains, and by enough to matter."""
        return tuple(part for part in self.slices if part.weak)


@dataclass(frozen=True)
class _Rows:
    y: FloatVector
    answers: Answers
    weight: FloatVector


@dataclass(frozen=True)
class _Part:
    column: str
    label: str
    mask: Mask
    score: float
    gap: float


def slice_table(
    contract: Contract,
    columns: Columns,
    y: FloatVector,
    answers: Answers,
    *,
    metric: Metric,
    weight: FloatVector | None = None,
    minimum_gap: float = 0.0,
    minimum_rows: int = MINIMUM_ROWS,
    seed: int = 0,
) -> SliceTable:
    """Score the parts of the rows that single columns make.

    Columns marked private are left out. Only the 40 parts that stand out most are bounded by a
    bootstrap, but all that were looked at count as looked at.

    Parameters
    ----------
    weight
        How much each row counts, shape (n,).
    minimum_gap
        A part whose score is worse by less is not called weak, in the metric's unit.
    minimum_rows
        Parts with fewer rows are not looked at, >= 2.
    """
    whole = metric.function(y, answers.read_by(metric), weight)
    rows = _Rows(y, answers, np.ones(len(y)) if weight is None else weight)
    found = [
        part
        for column in contract.columns
        if not column.private
        for label, mask in parts_of(column, columns[column.name])
        if minimum_rows <= mask.sum() < len(y)
        and (part := _judge(column.name, label, mask, rows, metric, whole)) is not None
    ]
    found.sort(key=lambda part: -part.gap * np.sqrt(part.mask.sum()))
    limit = NormalDist().inv_cdf(1 - 0.05 / max(1, len(found)))
    shown = [_bounded(part, rows, metric, limit, minimum_gap, seed) for part in found[:MOST_SHOWN]]
    shown.sort(key=lambda pair: (not pair[0].weak, -pair[1]))
    return SliceTable(
        metric=metric.name,
        whole=whole,
        minimum_rows=minimum_rows,
        minimum_gap=minimum_gap,
        looked_at=len(found),
        slices=tuple(part for part, _ in shown),
    )


def parts_of(column: Column, cells: Array) -> Iterator[tuple[str, Mask]]:
    """Yield the parts that a column makes of the rows, each with its name."""
    missing = _missing(column, cells)
    yield "is missing", missing
    if column.kind == "category":
        values, counts = np.unique(cells[~missing].astype(str), return_counts=True)
        for index in np.argsort(-counts, kind="stable")[:MOST_VALUES].tolist():
            yield f"= {values[index]}", np.asarray(cells == values[index], dtype=bool)
    elif column.kind == "boolean":
        yield "is true", cells == 1
        yield "is false", cells == 0
    elif column.kind in ("number", "datetime"):
        yield from _quarters(column, cells, missing)


def _missing(column: Column, cells: Array) -> Mask:
    if column.kind in ("category", "text"):
        return np.asarray(cells == "", dtype=bool)
    if column.kind == "datetime":
        return np.asarray(cells == MISSING_TIME)
    return np.asarray(np.isnan(cells.reshape(len(cells), -1)).all(axis=1))


def _quarters(column: Column, cells: Array, missing: Mask) -> Iterator[tuple[str, Mask]]:
    present = cells[~missing]
    if not len(present):
        return
    cuts = np.unique(np.quantile(present, [0.25, 0.5, 0.75], method="lower"))
    quarter = np.searchsorted(cuts, cells, side="left")  # a cut belongs to the quarter below it
    for number in range(len(cuts) + 1):
        mask = (quarter == number) & ~missing
        if mask.any():
            low, high = (_shown(column, edge) for edge in (cells[mask].min(), cells[mask].max()))
            yield (f"= {low}" if low == high else f"{low} to {high}"), mask


def _shown(column: Column, edge: float) -> str:
    if column.kind == "datetime":
        return str(np.datetime64(int(edge), "us").astype("datetime64[m]"))
    return f"{edge:.6g}"


def _judge(
    column: str,
    label: str,
    mask: Mask,
    rows: _Rows,
    metric: Metric,
    whole: float,
) -> _Part | None:
    """Score one part; None where the metric cannot be judged on it."""
    truth, answers, weight = rows.y[mask], rows.answers, rows.weight[mask]
    if not weight.any():
        return None
    if answers.probabilities is not None and metric.needs == "probability":
        counts = np.sort(np.unique(truth, return_counts=True)[1])
        if len(counts) < 2 or counts[-2] < MINIMUM_OF_CLASS:
            return None
    score = metric.function(truth, answers.read_by(metric)[mask], weight)
    if np.isnan(score):
        return None
    return _Part(column, label, mask, score, metric.gain(whole) - metric.gain(score))


def _bounded(
    part: _Part,
    rows: _Rows,
    metric: Metric,
    limit: float,
    minimum_gap: float,
    seed: int,
) -> tuple[Slice, float]:
    """Return the slice and by how much it is worse for sure, for the order."""
    truth, answers, weight = rows.y[part.mask], rows.answers, rows.weight[part.mask]
    scorer = metric.scorer(truth, answers.read_by(metric)[part.mask])
    # Not within each class: how many rows of a class fall into a part is luck too.
    draws = resample_weights(truth, stratify=False, resamples=RESAMPLES, seed=seed)
    scores = np.array([scorer(weight * draw) for draw in draws])
    # The part lies inside the whole, so their errors are correlated: for a mean over rows the
    # variance of the difference is that of the part, times the share of rows outside it.
    spread = float(np.nanstd(scores)) * np.sqrt(1 - part.mask.mean())
    low, high = np.nanquantile(scores, [0.025, 0.975]).tolist()
    predicted, observed = _means(part.mask, truth, answers, weight)
    sure = part.gap - limit * spread
    slice_ = Slice(
        column=part.column,
        part=part.label,
        rows=len(truth),
        score=part.score,
        low=low,
        high=high,
        gap=part.gap,
        weak=bool(sure > 0 and part.gap >= minimum_gap),
        predicted=predicted,
        observed=observed,
    )
    return slice_, sure


def _means(
    mask: Mask, truth: FloatVector, answers: Answers, weight: FloatVector
) -> tuple[float | None, float | None]:
    observed = float(np.average(truth, weights=weight))
    if answers.probabilities is None:
        return float(np.average(answers.values[mask], weights=weight)), observed
    if answers.probabilities.shape[1] == 2:
        return float(np.average(answers.probabilities[mask, 1], weights=weight)), observed
    return None, None
