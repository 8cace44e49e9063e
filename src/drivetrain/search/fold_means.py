"""What the mean over folds brings, told without labels.

An out-of-fold answer is that of one fold's model; the bundle answers with the mean of all of them,
which errs less: by how much cannot be seen on training rows, for each was fitted on by all models
but one. The rows that parity compares have been seen by none. Where labels are drawn as the mean
says, the mean of one model's loss less the loss of the mean is the gain: for squared error the
ambiguity of Krogh & Vedelsby (NeurIPS 1995), for the log-loss of margins that are averaged its
equal for exponential families, exactly; for other metrics a guess. No holdout label is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.search.blend_table import error_of
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import Metric, find_metric
from drivetrain.stats.mixture import mixture

MOST_ROWS = 4_000
SINGLES = 3  # folds whose models are looked at alone
MOST_DRAWN = 400_000  # truths of a regression, over all rows


def fold_gain(
    trials: Sequence[Trial],
    weights: Mapping[str, float],
    folds: Mapping[str, int],
    *,
    metric: Metric,
    rows: int,
    residuals: FloatVector | None,
    truth: FloatMatrix | None = None,
) -> float:
    """Return what the mean over folds takes off the out-of-fold error, >= 0.

    Parameters
    ----------
    trials
        All of the blend, with all of their folds.
    weights, folds
        Of the blend's members: share, and how many of the folds' models are served.
    rows
        Of the first proof rows, which are the holdout's.
    residuals
        Of a regression, out of fold, (n,): the truth is drawn with them around the mean.
    truth
        Answers to the same rows by which labels are drawn, (rows, t), the same for all that are
        compared: a model that is too sure of itself would draw the gain too large. None: its own.
    """
    among = [trial for trial in trials if trial.key in weights]
    if rows == 0 or all(folds[trial.key] == 1 for trial in among):
        return 0.0
    metric = find_metric("log_loss") if metric.needs == "label" else metric
    answers = Answers(among, weights, min(rows, MOST_ROWS))
    if truth is None:
        truth = answers.of({trial.key: len(trial.folds) for trial in among})
    drawn = _Truth(metric, truth[:MOST_ROWS], residuals)
    alone = [drawn.error(answers.of_one(number)) for number in range(SINGLES)]
    single = float(np.mean(alone))
    gain = single - drawn.error(answers.of(folds))
    return float(max(gain, 0.0)) if np.isfinite(gain) else 0.0


def excess(
    answers: FloatMatrix, truth: FloatMatrix, *, metric: Metric, residuals: FloatVector | None
) -> float:
    """Return how much more answers err than others by which labels are drawn, >= 0.

    For a model that learned from those others: out of fold it cannot be told what it lacks, as
    what they say of its training rows knows the labels that judge it.

    Parameters
    ----------
    answers, truth
        Of a model and of the one that draws labels, to rows that neither has seen, (n, t).
    residuals
        As in :func:`fold_gain`.
    """
    if len(truth) == 0:
        return 0.0
    metric = find_metric("log_loss") if metric.needs == "label" else metric
    drawn = _Truth(metric, truth[:MOST_ROWS], residuals)
    more = drawn.error(answers[:MOST_ROWS]) - drawn.error(truth[:MOST_ROWS])
    return float(max(more, 0.0)) if np.isfinite(more) else 0.0


class Answers:
    """Answers of a blend to the first proof rows, by some of the folds' models."""

    def __init__(self, trials: Sequence[Trial], weights: Mapping[str, float], rows: int) -> None:
        self._trials = trials
        self._weights = weights
        self._margins = {
            trial.key: [np.asarray(fold.proof_margin()[:rows]) for fold in trial.folds]
            for trial in trials
        }

    def of(self, folds: Mapping[str, int]) -> FloatMatrix:
        """Return answers by the mean of so many folds of each member, (n, t)."""
        means = {key: np.mean(self._margins[key][:count], axis=0) for key, count in folds.items()}
        return self._mixed(means)

    def of_one(self, number: int) -> FloatMatrix:
        """Return answers by one fold's models alone, (n, t)."""
        return self._mixed({key: each[number % len(each)] for key, each in self._margins.items()})

    def _mixed(self, margins: Mapping[str, FloatMatrix]) -> FloatMatrix:
        return mixture(
            (trial.answer(margins[trial.key]), self._weights[trial.key]) for trial in self._trials
        )


def _drawn(residuals: FloatVector, most: int) -> FloatVector:
    """Draw residuals that every row gets alike, with the mean of all.

    Were each row given one of its own, what two models of few rows differ by would be less than
    what chance makes of it.
    """
    if len(residuals) <= most:
        return residuals
    drawn = np.random.default_rng(0).choice(residuals, most, replace=False)
    centred: FloatVector = drawn - drawn.mean() + residuals.mean()
    return centred


class _Truth:
    """Labels as an answer says that they are: each class with its probability as the weight.

    A regression's are the answer with each of many residuals.
    """

    def __init__(self, metric: Metric, answer: FloatMatrix, residuals: FloatVector | None) -> None:
        self._metric = metric
        n, width = answer.shape
        if residuals is not None:
            drawn = _drawn(residuals, max(1, MOST_DRAWN // n))
            self._copies, self._y = len(drawn), np.add.outer(drawn, answer[:, 0]).ravel()
            if metric.name == "rmsle":  # which has no meaning below zero
                self._y = np.maximum(self._y, 0.0)
            self._weight = np.ones(len(self._y))
            return
        shares = np.hstack([1.0 - answer, answer]) if width == 1 else answer
        self._copies = shares.shape[1]
        self._y = np.repeat(np.arange(float(self._copies)), n)
        self._weight = shares.T.ravel()

    def error(self, prediction: FloatMatrix) -> float:
        """Expected error of a prediction, (n, t)."""
        repeated = np.tile(prediction, (self._copies, 1))
        return error_of(self._metric, self._y, repeated, self._weight)
