"""Few are believed: all tests together, effects above a floor, found again before reported."""

from __future__ import annotations

import pytest

from drivetrain.monitor.drift_test import Measured
from drivetrain.monitor.judge import Result, persistent, run_tests
from drivetrain.testing.monitored import monitored_reference, monitored_rows, sketch_rows

TASKS = ("binary", "multiclass", "regression")


@pytest.mark.parametrize("task", TASKS)
def test_windows_like_the_reference_find_nothing(task) -> None:
    reference = monitored_reference(task)
    findings = [
        [r for r in run_tests(reference, sketch_rows(reference, rows, task)) if r.found]
        for rows in (monitored_rows(1000, seed=50 + k, task=task) for k in range(30))
    ]
    assert sum(bool(found) for found in findings) <= 1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("planted", "test", "subject"),
    [
        ({"shift": 0.4}, "chi_square", "age"),
        ({"missing": 0.15}, "missing_rate", "income"),
        ({"new_city": 0.05}, "new_categories", "city"),
        ({"together": 0.3}, "joint_pairs", "joint"),
        ({"shift": 4.0}, "out_of_range", "age"),
    ],
)
def test_each_planted_drift_is_found_where_it_is(task, planted, test, subject) -> None:
    reference = monitored_reference(task)
    window = sketch_rows(reference, monitored_rows(2000, seed=9, task=task, **planted), task)
    found = {(r.test, r.subject) for r in run_tests(reference, window) if r.found}
    assert (test, subject) in found
    assert not {name for _, name in found} & {"member", "note", "place", "seen"}


def test_what_moves_the_answers_comes_first() -> None:
    reference = monitored_reference()
    rows = monitored_rows(2000, seed=3, shift=0.7, missing=0.3)
    results = run_tests(reference, sketch_rows(reference, rows))
    kept = persistent([results, results])
    columns = [r.subject for r in kept if r.about == "column"]
    assert columns[0] == "age"
    assert "income" in columns


def result(subject: str, *, found: bool) -> Result:
    return Result(
        test="chi_square", subject=subject, about="column", measured=Measured(effect=1.0),
        decides=True, found=found,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("history", "reported"),
    [
        ([True], False),
        ([False, True], False),
        ([True, True], True),
        ([True, False, True], True),
        ([True, False, False, True], False),
        ([True, True, False], False),
    ],
)
def test_drift_is_reported_when_it_is_found_in_two_of_three_windows(history, reported) -> None:
    windows = [(result("age", found=found),) for found in history]
    assert bool(persistent(windows)) is reported
