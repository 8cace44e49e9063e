"""What the clock decides in a fit is written down, and decided again the same way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivetrain.models.family import Budget, Validation
from drivetrain.models.pace import Pace
from drivetrain.search.fit import FAMILIES


def test_a_choice_is_written_down_and_obeyed() -> None:
    first = Budget(lambda: 9.0)
    assert first.choose("epochs", lambda: 7.0) == 7.0
    again = Budget(lambda: 0.0, replayed=first.choices)
    assert again.choose("epochs", lambda: 1.0) == 7.0
    assert again.choices == first.choices


def test_a_loop_ends_where_it_ended_before_whatever_the_clock_says() -> None:
    answers = iter([9.0, 9.0, 0.0])
    first = Budget(lambda: next(answers))
    pace = Pace(first)
    assert [pace.is_over() for _ in range(3)] == [False, False, True]
    for clock in (0.0, 1e9):
        pace = Pace(Budget(lambda clock=clock: clock, replayed=first.choices))
        assert [pace.is_over() for _ in range(3)] == [False, False, True]


def test_a_loop_that_no_clock_ended_goes_on_in_a_replay() -> None:
    pace = Pace(Budget(lambda: 0.0, replayed={}))
    assert not any(pace.is_over() for _ in range(100))


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost", "extra_trees", "linear"])
def test_a_fit_that_the_clock_cut_is_made_again_to_the_bit(name: str) -> None:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((300, 4)).astype(np.float32)
    y = (X[:, 0] + 0.5 * generator.standard_normal(300) > 0).astype(np.float64)
    family = FAMILIES.load(name)
    left = iter([60.0] + [-1.0] * 99)  # the clock jumps
    arguments: dict[str, Any] = {
        "task": "binary", "classes": 2, "metric": "auc", "weight": None, "seed": 3,
        "validation": Validation(X[200:], y[200:]),
        "parameters": {},
    }  # fmt: skip
    cut = Budget(lambda: next(left))
    first = family.fit(X[:200], y[:200], **arguments, budget=cut)
    again = family.fit(
        X[:200], y[:200], **arguments, budget=Budget(lambda: 1e9, replayed=cut.choices)
    )
    assert cut.choices
    np.testing.assert_array_equal(first.predict(X), again.predict(X))
    free = family.fit(X[:200], y[:200], **arguments, budget=Budget(lambda: 1e9))
    assert not np.array_equal(first.predict(X), free.predict(X))
