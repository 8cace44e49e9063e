"""Costs: read as they are given, and refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.stats.costs import cost_matrix, expected_costs, threshold_of


def test_what_is_not_said_costs_nothing_where_it_is_right_and_1_where_it_is_wrong() -> None:
    found = cost_matrix(["b:a=5", "c:b=0.5"], ("a", "b", "c"))
    assert found.tolist() == [[0, 1, 1], [5, 0, 1], [1, 0.5, 0]]


def test_a_class_may_be_called_anything() -> None:
    assert cost_matrix(["a=1:<=50K: x=7"], ("a=1", "<=50K: x"))[0, 1] == 7


@pytest.mark.parametrize(
    "costs", [["b"], ["b:a"], ["b:a=much"], ["b:z=1"], ["b:a=nan"], ["a:a=9"], ["a:b=0", "b:a=0"]]
)
def test_what_is_no_cost_is_refused_in_one_line(costs: list[str]) -> None:
    with pytest.raises(SettingError, match=r"setting 'costs': expected .*\[DT2KC\]"):
        cost_matrix(costs, ("a", "b"))


def test_the_threshold_is_where_both_labels_cost_the_same() -> None:
    costs = np.array([[0.0, 3.0], [7.0, 1.0]])
    p = threshold_of(costs)
    first, second = expected_costs(np.array([[1 - p, p]]), costs)[0]
    assert first == pytest.approx(second)
