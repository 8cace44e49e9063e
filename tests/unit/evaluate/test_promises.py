"""Promises: what was asked of the outputs, counted on rows."""

from __future__ import annotations

import numpy as np

from drivetrain.core.contract import Target
from drivetrain.evaluate.answers import Answers
from drivetrain.evaluate.promises import Asked, check_promises
from drivetrain.report.words import promises

TWO = Target(name="y", task="binary", classes=("no", "yes"), label_type="string")


def test_a_bundle_that_was_asked_for_nothing_promises_nothing() -> None:
    y, target = np.zeros(3), Target(name="y", task="regression")
    answers = Answers(values=y, outputs={"prediction": y})
    assert check_promises(y, answers, target, Asked()) is None
    assert promises(None) == []


def test_intervals_are_counted_with_their_ends_and_by_weight() -> None:
    outputs = {"lower": np.zeros(4), "upper": np.full(4, 2.0)}
    y = np.array([0.0, 2.0, 1.0, 5.0])
    answers = Answers(values=np.ones(4), outputs=outputs)
    regression = Target(name="y", task="regression")
    found = check_promises(y, answers, regression, Asked(coverage=0.9))
    assert found is not None and found.coverage is not None
    assert (found.coverage.got.score, found.coverage.size) == (0.75, 2.0)
    assert found.coverage.got.low < 0.75 < found.coverage.got.high
    heavy = check_promises(y, answers, regression, Asked(0.9), np.array([1.0, 1.0, 1.0, 7.0]))
    assert heavy is not None and heavy.coverage is not None
    assert heavy.coverage.got.score == 0.3


def test_sets_costs_and_flags_are_counted_and_said() -> None:
    outputs = {
        "set": np.array([[True, True], [True, False], [True, False], [False, True]]),
        "out_of_range": np.array([True, False, False, False]),
    }
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    answers = Answers(np.array([1.0, 0.0, 0.0, 1.0]), probabilities, outputs)
    costs = np.array([[0.0, 1.0], [8.0, 0.0]])
    y = np.array([1.0, 0.0, 1.0, 1.0])
    found = check_promises(y, answers, TWO, Asked(0.99, costs))
    assert found is not None and found.coverage is not None and found.costs is not None
    assert (found.coverage.got.score, found.coverage.size) == (0.75, 1.25)
    assert [(row.name, row.rows, row.share) for row in found.coverage.classes] == [
        ("no", 1, 1.0), ("yes", 3, 2 / 3),
    ]  # fmt: skip
    assert (found.costs.label, found.costs.likeliest) == (2.0, 4.0)
    assert found.out_of_range == 0.25
    covered, cost, flagged = promises(found)
    assert "'yes', 66.7 % of 3 rows" in covered and "75.0 % of the rows" in covered
    assert "costs 2 in the mean" in cost
    assert "25.0 %" in flagged
