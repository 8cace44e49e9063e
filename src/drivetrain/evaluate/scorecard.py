"""The Scorecard: how good a bundle is on given rows, for certain, and against what."""

from __future__ import annotations

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector
from drivetrain.core.contract import Contract, Target, Task
from drivetrain.core.errors import DataError
from drivetrain.evaluate.answers import Answers, Runs, ask
from drivetrain.evaluate.confusion import Confusion, confusion
from drivetrain.evaluate.promises import Asked, Promises, check_promises
from drivetrain.evaluate.slices import MINIMUM_ROWS, SliceTable, slice_table
from drivetrain.stats.calibration import Calibration, calibration, value_calibration
from drivetrain.stats.intervals import (
    RESAMPLES,
    Interval,
    PairedDifference,
    difference_of,
    interval_of,
    resample_weights,
    resampled_scores,
)
from drivetrain.stats.metric import Metric
from drivetrain.stats.metrics import METRICS, find_metric, main_metrics

# Rows times resamples of one interval, about half a second for a ranking metric.
RESAMPLED_ROWS = 10_000_000
FEWEST_RESAMPLES = 200
MATERIAL_SHARE = 0.1  # a part is weak if it loses at least this share of the gain over a constant


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
    weighted: bool = False  # whether each row counts by its weight; counts of rows do not
    seed: int
    measures: tuple[Measure, ...]
    constant: tuple[float, ...]  # the constant baseline: class shares in training, or the mean
    over_constant: PairedDifference  # gain in the main metric, paired on the rows
    over_linear: PairedDifference | None = None
    calibration: Calibration | None = None
    confusion: Confusion | None = None
    slices: SliceTable
    promises: Promises | None = None  # whether what was asked of the outputs came true

    @property
    def score(self) -> Interval:
        """The main metric."""
        return self.measures[0].model


def constant_baseline(
    y: FloatVector, target: Target, weight: FloatVector | None = None
) -> FloatVector:
    """Return what a model without columns predicts: class shares (K,), or the mean (1,).

    Parameters
    ----------
    y
        Targets of the training rows, class numbers or values, shape (n,), n >= 1.
    weight
        Their weights, shape (n,), not all 0.
    """
    if target.task == "regression":
        return np.array([np.average(y, weights=weight)])
    counts = np.bincount(y.astype(np.int64), weights=weight, minlength=len(target.classes))
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
    weight: FloatVector | None = None,
    minimum_rows: int = MINIMUM_ROWS,
    asked: Asked | None = None,
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
    weight
        How much each row counts in every metric, interval and slice, shape (n,), >= 0.
    minimum_rows
        Smallest part of the rows to be judged in the table of slices.
    asked
        What the outputs were asked for, to see whether it came true.

    Raises
    ------
    DataError
        If there are no rows, or the main metric is undefined on them (an AUC over one class).
    """
    target = _target(contract, y)
    main = find_metric(metric, target.task)
    answers = ask(model, target, columns)
    sides = {"model": answers, "constant": constant_answers(constant, target, len(y))}
    if linear is not None:
        sides["linear"] = _answers_of(linear, target)
    metrics = [main, *(METRICS[name] for name in main_metrics(target.task) if name != main.name)]
    resampled = _Resampled(metrics, y, sides, weight, seed)
    measures = [measure for found in metrics if (measure := resampled.measure(found)) is not None]
    if not measures or measures[0].metric != main.name:
        raise DataError(
            where=f"metric '{main.name}'",
            expected="rows on which it is defined",
            got=f"{len(y)} rows with {len(np.unique(y))} distinct target values",
            remedy="Evaluate on rows of at least two classes, or choose another metric.",
            code="DT292",
        )
    over_constant = resampled.gain_over("constant")
    return Scorecard(
        task=target.task,
        metric=main.name,
        rows=len(y),
        weighted=weight is not None,
        seed=seed,
        measures=tuple(measures),
        constant=tuple(constant.tolist()),
        over_constant=over_constant,
        over_linear=resampled.gain_over("linear") if linear is not None else None,
        calibration=_calibration(y, answers, target, weight),
        confusion=_confusion(y, answers, target),
        promises=check_promises(y, answers, target, asked or Asked(), weight),
        slices=slice_table(
            contract,
            columns,
            y,
            answers,
            metric=main,
            weight=weight,
            minimum_gap=MATERIAL_SHARE * max(0.0, over_constant.gain),
            minimum_rows=minimum_rows,
            seed=seed,
        ),
    )


class _Resampled:
    """Every metric of the model, and the main one of the baselines, in the same resamples."""

    def __init__(
        self,
        metrics: list[Metric],
        y: FloatVector,
        sides: dict[str, Answers],
        weight: FloatVector | None,
        seed: int,
    ) -> None:
        main = metrics[0]
        self.main, self.y, self.sides, self.weight = main, y, sides, weight
        wanted = [("model", m) for m in metrics[1:]] + [(side, main) for side in sides]
        scorers = [m.scorer(y, sides[side].read_by(m)) for side, m in wanted]
        stratify = sides["model"].probabilities is not None
        draws = resample_weights(y, stratify=stratify, resamples=_resamples(len(y)), seed=seed)
        base = np.ones(len(y)) if weight is None else weight
        scores = resampled_scores(scorers, base, draws)
        self.scores = {(side, m.name): row for (side, m), row in zip(wanted, scores, strict=True)}

    def measure(self, metric: Metric) -> Measure | None:
        """Score one metric; None where it is undefined on these rows."""
        score = self._score("model", metric)
        if score is None:
            return None
        return Measure(
            metric=metric.name,
            about=metric.about,
            greater_is_better=metric.greater_is_better,
            model=interval_of(score, self.scores["model", metric.name]),
            constant=self._score("constant", metric),
            linear=self._score("linear", metric) if "linear" in self.sides else None,
        )

    def gain_over(self, side: str) -> PairedDifference:
        """Return how much better the model is than a baseline, in the main metric."""
        ours, theirs = (self.scores[name, self.main.name] for name in ("model", side))
        gain = self._gain("model") - self._gain(side)
        resampled = ours - theirs if self.main.greater_is_better else theirs - ours
        return difference_of(gain, resampled)

    def _gain(self, side: str) -> float:
        prediction = self.sides[side].read_by(self.main)
        return self.main.gain(self.main.function(self.y, prediction, self.weight))

    def _score(self, side: str, metric: Metric) -> float | None:
        score = metric.function(self.y, self.sides[side].read_by(metric), self.weight)
        return None if np.isnan(score) else score


def _target(contract: Contract, y: FloatVector) -> Target:
    if contract.target is None:
        raise DataError(
            where="the Contract",
            expected="a target",
            got="none",
            remedy="Evaluate a bundle that was trained on a target.",
            code="DT293",
        )
    if not len(y):
        raise DataError(
            where=f"target '{contract.target.name}'",
            expected="at least one row",
            got="none",
            remedy="Give rows to evaluate on.",
            code="DT294",
        )
    return contract.target


def _answers_of(prediction: Array, target: Target) -> Answers:
    """Predictions of a baseline, labels at the greatest probability."""
    if target.task == "regression":
        return Answers(values=prediction.reshape(-1).astype(np.float64))
    labels = prediction.argmax(axis=1).astype(np.float64)
    return Answers(values=labels, probabilities=prediction.astype(np.float64))


def constant_answers(constant: FloatVector, target: Target, rows: int) -> Answers:
    """Return what :func:`constant_baseline` answers to so many rows."""
    return _answers_of(np.tile(constant, (rows, 1)), target)


def _resamples(rows: int) -> int:
    return max(FEWEST_RESAMPLES, min(RESAMPLES, RESAMPLED_ROWS // rows))


def _calibration(
    y: FloatVector, answers: Answers, target: Target, weight: FloatVector | None
) -> Calibration:
    if answers.probabilities is None:
        name = f"mean of {target.name}"
        return value_calibration(y, answers.values, name=name, weight=weight)
    if target.task == "binary":
        event = f"{target.name} = {target.classes[1]}"
        return calibration(y, answers.probabilities[:, 1], name=event, weight=weight)
    right = (answers.probabilities.argmax(axis=1) == y).astype(np.float64)
    event = "the most probable class is right"
    return calibration(right, answers.probabilities.max(axis=1), name=event, weight=weight)


def _confusion(y: FloatVector, answers: Answers, target: Target) -> Confusion | None:
    if target.task == "regression":
        return None
    return confusion(y, answers.values, target.classes)
