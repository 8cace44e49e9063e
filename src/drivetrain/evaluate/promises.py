"""Whether what was asked of the outputs came true on given rows: coverage, costs, ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.core.contract import Target
from drivetrain.core.manifest import LOWER, OUT_OF_RANGE, SET, UPPER
from drivetrain.evaluate.answers import Answers
from drivetrain.stats.calibration import wilson
from drivetrain.stats.costs import cost_matrix, costs_of
from drivetrain.stats.intervals import Interval


@dataclass(frozen=True)
class Asked:
    """What a bundle was asked for: the coverage, and what labels cost, (K, K)."""

    coverage: float | None = None
    costs: FloatMatrix | None = None


class ClassCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How often the sets of one class's rows hold it; None without rows."""

    name: str
    rows: int
    share: float | None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """In what share of the rows the truth lies within the interval or set.

    ``got`` has Wilson's interval at 95 %. ``size`` is the mean width, in the target's unit, or the
    mean number of classes.
    """

    kind: Literal["interval", "set"]
    asked: float
    got: Interval
    size: float
    median_size: float
    classes: tuple[ClassCoverage, ...] = ()


class LabelCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What a row costs in the mean, and what it would cost with the likeliest label."""

    label: float
    likeliest: float


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all that was asked for; ``out_of_range`` is the share of rows flagged."""

    coverage: Coverage | None = None
    costs: LabelCosts | None = None
    out_of_range: float | None = None


def asked_of(settings: Mapping[str, Any], classes: Sequence[str]) -> Asked:
    """Read from the settings of a run what was asked for.

    Raises
    ------
    SettingError
        If a cost is none.
    """
    costs = settings.get("costs") or ()
    return Asked(settings.get("coverage"), cost_matrix(costs, classes) if costs else None)


def check_promises(
    y: FloatVector,
    answers: Answers,
    target: Target,
    asked: Asked,
    weight: FloatVector | None = None,
) -> Promises | None:
    """Look at what a graph answered to rows; None where it was asked for nothing."""
    weights = np.ones(len(y)) if weight is None else weight
    outputs = answers.outputs
    coverage = None
    if asked.coverage is not None and LOWER in outputs:
        coverage = _of_intervals(y, outputs, asked.coverage, weights)
    elif asked.coverage is not None and SET in outputs:
        coverage = _of_sets(y, outputs[SET], target, asked.coverage, weights)
    costs = None
    if asked.costs is not None and answers.probabilities is not None:
        likeliest = answers.probabilities.argmax(axis=1)
        both = [costs_of(y, labels, asked.costs) for labels in (answers.values, likeliest)]
        means = [float(np.average(one, weights=weights)) for one in both]
        costs = LabelCosts(label=means[0], likeliest=means[1])
    outside = None
    if OUT_OF_RANGE in outputs:
        outside = float(np.average(outputs[OUT_OF_RANGE], weights=weights))
    if coverage is None and costs is None and outside is None:
        return None
    return Promises(coverage=coverage, costs=costs, out_of_range=outside)


def _of_intervals(
    y: FloatVector, outputs: Mapping[str, Array], asked: float, weight: FloatVector
) -> Coverage:
    lower, upper = outputs[LOWER], outputs[UPPER]
    width = upper - lower
    return Coverage(
        kind="interval",
        asked=asked,
        got=_share((lower <= y) & (y <= upper), weight),
        size=float(np.average(width, weights=weight)),
        median_size=float(np.median(width)),
    )


def _of_sets(
    y: FloatVector, sets: Array, target: Target, asked: float, weight: FloatVector
) -> Coverage:
    number = y.astype(np.int64)
    is_in = sets[np.arange(len(y)), number]
    size = sets.sum(axis=1)
    classes = []
    for k, name in enumerate(target.classes):
        own = number == k
        share = float(is_in[own].mean()) if own.any() else None
        classes.append(ClassCoverage(name=name, rows=int(own.sum()), share=share))
    return Coverage(
        kind="set",
        asked=asked,
        got=_share(is_in, weight),
        size=float(np.average(size, weights=weight)),
        median_size=float(np.median(size)),
        classes=tuple(classes),
    )


def _share(is_in: Array, weight: FloatVector) -> Interval:
    """Return a weighted share; rows of unequal weight tell as much as fewer of equal ones."""
    share = float(np.average(is_in, weights=weight))
    low, high = wilson(share, float(weight.sum() ** 2 / np.square(weight).sum()))
    return Interval(score=share, low=low, high=high)
