"""What a mean over folds brings, told without labels, is what labels show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from drivetrain.search.fold_means import excess, fold_gain
from drivetrain.stats.metrics import find_metric

ROWS = 4_000


@dataclass(frozen=True)
class Fold:
    margin: np.ndarray

    def proof_margin(self) -> np.ndarray:
        return self.margin


@dataclass(frozen=True)
class Fitted:
    """A trial as far as it is looked at: models whose margins are the truth and noise."""

    key: str
    folds: tuple[Fold, ...]
    is_classes: bool

    def answer(self, margin: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-margin)) if self.is_classes else margin


def fitted(truth: np.ndarray, *, noise: float, is_classes: bool) -> Fitted:
    random = np.random.default_rng(1)
    margins = (truth[:, None] + noise * random.normal(size=(ROWS, 1)) for _ in range(6))
    return Fitted("a", tuple(Fold(margin) for margin in margins), is_classes)


@pytest.mark.parametrize("served", [6, 3])
def test_the_gain_in_squared_error_is_the_one_that_labels_show(served: int) -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=ROWS)
    y = truth + random.normal(size=ROWS)
    trial = fitted(truth, noise=0.5, is_classes=False)
    margins = [fold.margin[:, 0] for fold in trial.folds]
    residuals = y - margins[0]
    told = fold_gain([trial], {"a": 1.0}, {"a": served}, metric=find_metric("rmse"), rows=ROWS,
                       residuals=residuals)  # fmt: skip
    single = np.mean([np.sqrt(np.mean((y - each) ** 2)) for each in margins])
    mean = np.sqrt(np.mean((y - np.mean(margins[:served], axis=0)) ** 2))
    assert told == pytest.approx(single - mean, abs=0.02)


@pytest.mark.parametrize("metric", ["log_loss", "auc"])
def test_the_gain_in_probabilities_is_the_one_that_labels_show(metric: str) -> None:
    random = np.random.default_rng(0)
    truth = 2.0 * random.normal(size=ROWS)
    y = (random.random(ROWS) < 1.0 / (1.0 + np.exp(-truth))).astype(float)
    trial = fitted(truth, noise=1.0, is_classes=True)
    found = find_metric(metric)

    def error(margin: np.ndarray) -> float:
        p = trial.answer(margin)
        score = found.function(y, np.hstack([1.0 - p, p]), None)
        return 1.0 - score if found.greater_is_better else score

    told = fold_gain([trial], {"a": 1.0}, {"a": 6}, metric=found, rows=ROWS, residuals=None)
    single = np.mean([error(fold.margin) for fold in trial.folds])
    mean = error(np.mean([fold.margin for fold in trial.folds], axis=0))
    assert told == pytest.approx(single - mean, abs=0.02)


def test_one_model_alone_gains_nothing() -> None:
    trial = fitted(np.zeros(ROWS), noise=1.0, is_classes=True)
    gain = fold_gain([trial], {"a": 1.0}, {"a": 1}, metric=find_metric("auc"), rows=ROWS,
                         residuals=None)  # fmt: skip
    assert gain == 0.0


def test_the_gain_by_a_truth_that_another_tells_is_the_one_that_its_labels_show() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=ROWS)
    p = 1.0 / (1.0 + np.exp(-truth))
    y = (random.random(ROWS) < p).astype(float)
    sure = fitted(3.0 * truth, noise=2.0, is_classes=True)
    found = find_metric("log_loss")

    def error(margin: np.ndarray) -> float:
        own = sure.answer(margin)
        return found.function(y, np.hstack([1.0 - own, own]), None)

    told = fold_gain([sure], {"a": 1.0}, {"a": 6}, metric=found, rows=ROWS, residuals=None,
                     truth=p[:, None])  # fmt: skip
    single = np.mean([error(fold.margin) for fold in sure.folds])
    mean = error(np.mean([fold.margin for fold in sure.folds], axis=0))
    assert told == pytest.approx(single - mean, abs=0.03)


@pytest.mark.parametrize("metric", ["rmse", "log_loss"])
def test_what_a_model_lacks_beside_the_one_it_learned_from_is_what_labels_show(
    metric: str,
) -> None:
    random = np.random.default_rng(0)
    margin = random.normal(size=(40_000, 1))
    off = margin + 0.5 * random.normal(size=margin.shape)
    residuals = None
    if metric == "rmse":
        truth, answers = margin, off
        residuals = random.normal(size=len(margin))
        y = truth[:, 0] + residuals
        shown = np.sqrt(np.mean((y - off[:, 0]) ** 2)) - np.sqrt(np.mean(residuals**2))
    else:
        truth, answers = (1.0 / (1.0 + np.exp(-each)) for each in (margin, off))
        y = (random.uniform(size=len(margin)) < truth[:, 0]).astype(float)
        function = find_metric(metric).function
        own, best = (np.hstack([1.0 - each, each]) for each in (answers, truth))
        shown = function(y, own, None) - function(y, best, None)
    told = excess(answers, truth, metric=find_metric(metric), residuals=residuals)
    assert told == pytest.approx(shown, abs=0.02)
    assert told > 0.02
    assert excess(truth, truth, metric=find_metric(metric), residuals=residuals) == 0.0


@pytest.mark.parametrize("rows", [50, 1_000])
def test_what_a_student_of_few_held_out_rows_lacks_is_no_matter_of_chance(rows: int) -> None:
    random = np.random.default_rng(3)
    residuals = random.normal(size=5_000)
    truth = random.normal(size=(rows, 1))
    student = truth + 0.2 * random.choice([-1.0, 1.0], size=(rows, 1))
    told = excess(student, truth, metric=find_metric("rmse"), residuals=residuals)
    assert told == pytest.approx(
        np.sqrt(np.mean(residuals**2) + 0.2**2) - np.std(residuals), abs=3e-3
    )
