"""Labels are in doubt where a model that knew the target knows nothing of it any more."""

from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.contract import Target
from drivetrain.evaluate.answers import Answers
from drivetrain.evaluate.believable import doubt
from drivetrain.evaluate.scorecard import Measure, Scorecard, scorecard
from drivetrain.stats.intervals import Interval
from drivetrain.stats.metrics import find_metric
from drivetrain.testing.monitored import monitored_contract, monitored_rows

VALUE = Target(name="answer", task="regression", label_type="float")
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.normal(size=600)


def card(score: float, constant: float | None, metric: str = "rmse") -> Scorecard:
    """Return a Scorecard of one measure, the rest of a small one."""
    rows = monitored_rows(300, seed=0)
    whole = scorecard(
        Answered(rows.outputs), monitored_contract(), rows.columns, rows.y, metric="auc",
        constant=np.array([0.5, 0.5]),
    )  # fmt: skip
    measure = Measure(
        metric=metric, about="", greater_is_better=metric == "auc", constant=constant,
        model=Interval(score=score, low=score, high=score),
    )  # fmt: skip
    return Scorecard(**{**{f: getattr(whole, f) for f in whole.__struct_fields__},
                        "measures": (measure,)})  # fmt: skip


class Answered:
    def __init__(self, outputs: dict) -> None:
        self.outputs = outputs

    def run(self, columns: dict) -> dict:
        return self.outputs


@pytest.mark.parametrize(
    ("answers", "is_doubted"),
    [
        (TRUTH + 0.3 * RANDOM.normal(size=600), False),
        (TRUTH + 0.7 * RANDOM.normal(size=600), False),  # much worse, and not ignorant
        (RANDOM.permutation(TRUTH), True),
        (-TRUTH, True),
        (10 * TRUTH, True),  # labels in another unit
    ],
)
def test_values_are_doubted_where_the_model_is_no_better_than_the_mean(answers, is_doubted) -> None:
    rmse = find_metric("rmse")
    told = doubt(card(0.3, 1.0), VALUE, TRUTH, Answers(values=answers), metric=rmse)
    assert bool(told) is is_doubted
    assert told.startswith("the champion's rmse on them is ") is is_doubted


@pytest.mark.parametrize("known", [card(0.3, None), card(1.1, 1.0), card(0.3, 1.0, metric="auc")])
def test_nothing_is_doubted_where_training_showed_no_lead(known) -> None:
    answers = Answers(values=RANDOM.permutation(TRUTH))
    assert doubt(known, VALUE, TRUTH, answers, metric=find_metric("rmse")) == ""


def test_labels_of_one_class_are_doubted() -> None:
    target = monitored_contract().target
    answers = Answers(values=np.zeros(60), probabilities=np.full((60, 2), 0.5))
    told = doubt(card(0.9, 0.5, "auc"), target, np.ones(60), answers, metric=find_metric("auc"))
    assert told == "all 60 labels are of one class"
