"""The Scorecard: how good a bundle is on given rows, for certain, and against what."""

from __future__ import annotations

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector
from drivetrain.core.contract import Contract, Target, Task
from drivetrain.core.errors import DataError
from drivetrain.evaluate.answers import Answers, Runs, ask
from drivetrain.evaluate.confusion import Confusion, confusion
from drivetrain.evaluate.slices import MINIMUM_ROWS, SliceTable, slice_table
from drivetrain.stats.calibration import Calibration, calibration, value_calibration
from drivetrain.stats.intervals import (
    RESAMPLES,
    Interval,
    PairedDifference,
    bootstrap_interval,
    paired_bootstrap,
)
from drivetrain.stats.metric import Metric
from drivetrain.stats.metrics import METRICS, find_metric, main_metrics

# Rows times resamples of one interval, about half a second for a ranking metric.
RESAMPLED_ROWS = 10_000_000
FEWEST_RESAMPLES = 200


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of the model, with the baselines beside it."""

    metric: str
    about: str
    greater_is_better: bool
    model: Interval
    constant: float | None = None
    linear: float | None = None


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics of a bundle on given rows, all through its graph. Round-trips through JSON."""

    task: Task
    metric: str  # the main one, first of `measures`
    rows: int
    seed: int
    measures: tuple[Measure, ...]
    constant: tuple[float, ...]  # the constant baseline: class shares in training, or the mean
    over_constant: PairedDifference  # gain in the main metric, paired on the rows
    over_linear: PairedDifference | None = None
    calibration: Calibration | None = None
    confusion: Confusion | None = None
    slices: SliceTable

    @property
    def score(self) -> Interval:
        """The main metric."""
        return self.measures[0].model


def constant_baseline(y: FloatVector, target: Target) -> FloatVector:
    """Return what a model without columns predicts: class shares (K,), or the mean (1,).

    Parameters
    ----------
    y
        Targets of the training rows, class numbers or values, shape (n,), n >= 1.
    """
    if target.task == "regression":
        return np.array([y.mean()])
    counts = np.bincount(y.astype(np.int64), minlength=len(target.classes))
    shares: FloatVector = counts / counts.sum()
    return shares


def scorecard(
    model: Runs,
    contract: Contract,
    columns: Columns,
    y: FloatVector,
    *,
    metric: str | Metric,
    constant: FloatVector,
    linear: Array | None = None,
    minimum_rows: int = MINIMUM_ROWS,
    seed: int = 0,
) -> Scorecard:
    """Score a model on rows that it has not seen.

    Parameters
    ----------
    model
        What runs the graph.
    contract
        Its Contract, with a target.
    columns, y
        Typed columns and class numbers or values of n rows.
    metric
        The main metric.
    constant
        From :func:`constant_baseline` on the training rows.
    linear
        What a linear model, fitted on the training rows, predicts on these: probabilities (n, K)
        or values (n,); None where there is none.
    minimum_rows
        Smallest part of the rows to be judged in the table of slices.

    Raises
    ------
    DataError
        If there are no rows, or the main metric is undefined on them (an AUC over one class).
    """
    target = _target(contract, y)
    main = find_metric(metric, target.task)
    answers = ask(model, target, columns)
    flat = _constant_answers(constant, target, len(y))
    straight = None if linear is None else _answers_of(linear, target)
    names = [name for name in main_metrics(target.task) if name != main.name]
    measures = [
        measure
        for found in (main, *(METRICS[name] for name in names))
        if (measure := _measure(found, y, answers, flat, straight, seed)) is not None
    ]
    if not measures or measures[0].metric != main.name:
        raise DataError(
            where=f"metric '{main.name}'",
            expected="rows on which it is defined",
            got=f"{len(y)} rows with {len(np.unique(y))} distinct target values",
            remedy="Evaluate on rows of at least two classes, or choose another metric.",
            code="DT228",
        )
    return Scorecard(
        task=target.task,
        metric=main.name,
        rows=len(y),
        seed=seed,
        measures=tuple(measures),
        constant=tuple(constant.tolist()),
        over_constant=_gain(main, y, answers, flat, seed),
        over_linear=None if straight is None else _gain(main, y, answers, straight, seed),
        calibration=_calibration(y, answers, target),
        confusion=_confusion(y, answers, target),
        slices=slice_table(
            contract, columns, y, answers, metric=main, minimum_rows=minimum_rows, seed=seed
        ),
    )


def _target(contract: Contract, y: FloatVector) -> Target:
    if contract.target is None:
        raise DataError(
            where="the Contract",
            expected="a target",
            got="none",
            remedy="Evaluate a bundle that was trained on a target.",
            code="DT229",
        )
    if not len(y):
        raise DataError(
            where=f"target '{contract.target.name}'",
            expected="at least one row",
            got="none",
            remedy="Give rows to evaluate on.",
            code="DT227",
        )
    return contract.target


def _answers_of(prediction: Array, target: Target) -> Answers:
    """Predictions of a baseline, labels at the greatest probability."""
    if target.task == "regression":
        return Answers(values=prediction.reshape(-1).astype(np.float64))
    labels = prediction.argmax(axis=1).astype(np.float64)
    return Answers(values=labels, probabilities=prediction.astype(np.float64))


def _constant_answers(constant: FloatVector, target: Target, rows: int) -> Answers:
    return _answers_of(np.tile(constant, (rows, 1)), target)


def _resamples(rows: int) -> int:
    return max(FEWEST_RESAMPLES, min(RESAMPLES, RESAMPLED_ROWS // rows))


def _measure(
    metric: Metric, y: FloatVector, model: Answers, flat: Answers, linear: Answers | None, seed: int
) -> Measure | None:
    """Score one metric; None where it is undefined on these rows."""
    interval = bootstrap_interval(
        metric, y, model.read_by(metric), resamples=_resamples(len(y)), seed=seed
    )
    if np.isnan(interval.score):
        return None
    return Measure(
        metric=metric.name,
        about=metric.about,
        greater_is_better=metric.greater_is_better,
        model=interval,
        constant=_defined(metric, y, flat),
        linear=None if linear is None else _defined(metric, y, linear),
    )


def _defined(metric: Metric, y: FloatVector, answers: Answers) -> float | None:
    score = metric.function(y, answers.read_by(metric), None)
    return None if np.isnan(score) else score


def _gain(
    metric: Metric, y: FloatVector, model: Answers, other: Answers, seed: int
) -> PairedDifference:
    resamples = _resamples(len(y))
    sides = model.read_by(metric), other.read_by(metric)
    return paired_bootstrap(metric, y, *sides, resamples=resamples, seed=seed)


def _calibration(y: FloatVector, answers: Answers, target: Target) -> Calibration:
    if answers.probabilities is None:
        return value_calibration(y, answers.values, name=f"mean of {target.name}")
    if target.task == "binary":
        event = f"{target.name} = {target.classes[1]}"
        return calibration(y, answers.probabilities[:, 1], name=event)
    top = answers.probabilities.argmax(axis=1)
    right = (top == y).astype(np.float64)
    return calibration(
        right, answers.probabilities.max(axis=1), name="the most probable class is right"
    )


def _confusion(y: FloatVector, answers: Answers, target: Target) -> Confusion | None:
    if target.task == "regression":
        return None
    return confusion(y, answers.values, target.classes)
