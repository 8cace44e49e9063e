"""The Trial: a Recipe fitted on the folds, with its out-of-fold predictions and its costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, Mask
from drivetrain.models.family import Link
from drivetrain.search.cost import cost_ns
from drivetrain.search.recipe import Recipe
from drivetrain.search.study import FittedFold, Study
from drivetrain.stats.metrics import Metric


@dataclass(frozen=True)
class Trial:
    """A fitted candidate.

    Attributes
    ----------
    prediction
        Out of fold, on the scale that is blended: probability of class 1 (n, 1), probabilities
        (n, K), or values (n, 1); NaN in rows that no fold judged.
    score
        Of these predictions, on the metric asked for.
    cost_ns
        Expected time of its models per served row on one core, its encoders not counted.
    seconds
        Fit time of all folds together.
    """

    recipe: Recipe
    folds: tuple[FittedFold, ...]
    prediction: FloatMatrix
    score: float
    cost_ns: float
    seconds: float
    is_complete: bool

    @property
    def key(self) -> str:
        """Name of the trial."""
        return self.recipe.key

    @property
    def link(self) -> Link:
        """From margin to prediction."""
        return self.folds[0].report.link

    @property
    def details(self) -> dict[str, Any]:
        """What the family says of each fold, gathered: ``{"trees": [131, 127]}``."""
        gathered: dict[str, list[Any]] = {}
        for fold in self.folds:
            for name, value in fold.report.details.items():
                gathered.setdefault(name, []).append(value)
        return gathered

    @property
    def size_bytes(self) -> int:
        """Bytes of the graphs of its folds' models, its encoders not counted."""
        return sum(fold.report.size_bytes for fold in self.folds)

    def answer(self, margin: FloatMatrix) -> FloatMatrix:
        """Return predictions on the blended scale from margins, float64 (n, t) both."""
        return answer_of(self.recipe, self.link, margin)

    def judged(self) -> Mask:
        """Rows that have an out-of-fold prediction."""
        return ~np.isnan(self.prediction[:, 0])


def read_trial(study: Study, recipe: Recipe) -> Trial | None:
    """Read what is finished of a trial; None while no fold is."""
    folds = study.finished(recipe.key)
    if not folds:
        return None
    width = folds[0].margin().shape[1]
    prediction = np.full((len(study.y), width), np.nan)
    for fold in folds:
        judge = np.asarray(study.fold(fold.number).judge)
        prediction[judge] = answer_of(recipe, fold.report.link, np.asarray(fold.margin()))
    judged = ~np.isnan(prediction[:, 0])
    metric = study.problem.measure
    weight = None if study.weight is None else np.asarray(study.weight)[judged]
    return Trial(
        recipe=recipe,
        folds=folds,
        prediction=prediction,
        score=metric.function(
            np.asarray(study.y)[judged], as_scored(metric, prediction[judged]), weight
        ),
        cost_ns=sum(cost_ns(fold.blocks) for fold in folds),
        seconds=sum(fold.report.seconds for fold in folds),
        is_complete=len(folds) == study.problem.folds,
    )


def with_models(trial: Trial, models: int) -> Trial:
    """Return the trial with the models of its first folds only.

    Its out-of-fold predictions stay: each is of a single model. What is lost is some of the gain
    of the mean over folds.
    """
    if models >= len(trial.folds):
        return trial
    kept = trial.folds[:models]
    return replace(
        trial,
        folds=kept,
        cost_ns=sum(cost_ns(fold.blocks) for fold in kept),
        seconds=sum(fold.report.seconds for fold in kept),
    )


def answer_of(recipe: Recipe, link: Link, margin: FloatMatrix) -> FloatMatrix:
    """Apply a Recipe's link, and undo the transform of its target."""
    prediction = from_margin(margin, link)
    return prediction if recipe.target is None else recipe.target.back(prediction)


def from_margin(margin: FloatMatrix, link: Link) -> FloatMatrix:
    """Apply a link as the graph does: float64 (n, t) to (n, t)."""
    if link == "identity":
        return margin
    if link == "sigmoid":
        with np.errstate(over="ignore"):  # exp of a large number is inf, and 1 / inf is right
            probability: FloatMatrix = 1.0 / (1.0 + np.exp(-margin))
        return probability
    power: FloatMatrix = np.exp(margin - margin.max(axis=1, keepdims=True))
    power /= power.sum(axis=1, keepdims=True)
    return power


def as_scored(metric: Metric, prediction: FloatMatrix, threshold: float = 0.5) -> Array:
    """Turn predictions on the blended scale into what a metric reads.

    Labels of two classes are 1 where the probability of class 1 is above the threshold.
    """
    if metric.needs == "value":
        return prediction[:, 0]
    if metric.needs == "probability":
        return np.hstack([1.0 - prediction, prediction]) if prediction.shape[1] == 1 else prediction
    if prediction.shape[1] == 1:
        return (prediction[:, 0] > threshold).astype(np.float64)
    labels: Array = prediction.argmax(axis=1).astype(np.float64)
    return labels
