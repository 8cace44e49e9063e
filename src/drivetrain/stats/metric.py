"""What a metric is: its name, what it reads, which way is better, and how it is computed.

A built-in metric is written as ``prepare(y, prediction)``, which does once whatever does not depend
on the weights (sorting, losses of each row) and returns a function of the weights alone. A
bootstrap resample is nothing but whole-number weights, so a thousand resamples cost one sort.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from drivetrain.core.arrays import Array, FloatVector
from drivetrain.core.contract import Task

Needs: TypeAlias = Literal["label", "probability", "value"]
MetricFunction: TypeAlias = Callable[[FloatVector, Array, FloatVector | None], float]
Weighted: TypeAlias = Callable[[FloatVector], float]
Prepare: TypeAlias = Callable[[FloatVector, Array], Weighted]


@dataclass(frozen=True)
class Metric:
    """One measure of predictions against truth, built in or the user's own.

    Attributes
    ----------
    name
        The word used in settings, manifest and report.
    function
        ``function(y, prediction, weight)``: ``y`` float64 (n,), class numbers 0..K-1 or values;
        ``prediction`` as ``needs`` says; ``weight`` float64 (n,) or None. Returns a float, NaN
        where the metric is undefined (an AUC over one class).
    needs
        ``"label"``: class numbers (n,). ``"probability"``: (n, K). ``"value"``: (n,).
    greater_is_better
        The direction.
    tasks
        Tasks it is defined for.
    about
        One line for people: what it measures and its range.
    prepare
        The same metric as a function of the weights alone, for fast resampling; None for a
        function that has no such form.
    reference
        ``FILE.py:NAME`` of a metric of the user's own, where every process finds it.

    Examples
    --------
    >>> hits = Metric("hits", lambda y, p, w: float(np.sum(y == p)), "label", True, ("binary",))
    >>> hits.function(np.array([0.0, 1.0]), np.array([0.0, 0.0]), None)
    1.0
    """

    name: str
    function: MetricFunction
    needs: Needs
    greater_is_better: bool
    tasks: tuple[Task, ...]
    about: str = ""
    prepare: Prepare | None = None
    reference: str = ""

    @property
    def key(self) -> str:
        """What :func:`~drivetrain.stats.metrics.find_metric` finds it by, in every process."""
        return self.reference or self.name

    def scorer(self, y: FloatVector, prediction: Array) -> Weighted:
        """Return the metric on these rows as a function of their weights, float64 (n,)."""
        if self.prepare is not None:
            return self.prepare(y, prediction)
        return lambda weight: self.function(y, prediction, weight)

    def gain(self, score: float) -> float:
        """Return the score turned so that greater is better."""
        return score if self.greater_is_better else -score


def metric_from(
    name: str,
    prepare: Prepare,
    *,
    needs: Needs,
    greater_is_better: bool,
    tasks: tuple[Task, ...],
) -> Metric:
    """Make a built-in metric from its prepared form, ``about`` from the docstring's first line."""

    def function(y: FloatVector, prediction: Array, weight: FloatVector | None) -> float:
        return prepare(y, prediction)(np.ones(len(y)) if weight is None else weight)

    about = (prepare.__doc__ or "").strip().splitlines()
    return Metric(
        name=name,
        function=function,
        needs=needs,
        greater_is_better=greater_is_better,
        tasks=tasks,
        about=about[0] if about else "",
        prepare=prepare,
    )


def dot(left: FloatVector, right: FloatVector) -> float:
    """Return the sum of products, without BLAS.

    From 10,000 items on BLAS starts threads, which then wait for each other: on a busy machine
    4 ms instead of 10 us. And its sum depends on their number.
    """
    return float(np.einsum("i,i->", left, right))


def weighted_mean(losses: FloatVector) -> Weighted:
    """Return the weighted mean of ``losses`` (n,) as a function of the weights; NaN without any."""

    def mean(weight: FloatVector) -> float:
        total = float(weight.sum())
        return dot(weight, losses) / total if total > 0 else float("nan")

    return mean
