from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.core.contract import Column
from drivetrain.evaluate.explain.dependence import partial_dependence

NUMBER = Column(name="a", kind="number", low=0.0, high=10.0)


def drawn(column, cells, formula, **more):
    columns = {column.name: np.asarray(cells), "b": np.linspace(0, 1, len(cells))}
    return partial_dependence(formula, column, columns, **more)


def test_a_line_is_a_line_and_its_points_are_quantiles():
    cells = np.linspace(0, 1, 101) ** 2
    found = drawn(NUMBER, cells, lambda c: 2 * c["a"] + c["b"], points=5)
    assert [point.value for point in found.points] == pytest.approx([0, 1 / 16, 1 / 4, 9 / 16, 1])
    for point in found.points:
        assert point.mean == pytest.approx(2 * point.value + 0.5)
        assert point.low == pytest.approx(2 * point.value + 0.1)
        assert point.high == pytest.approx(2 * point.value + 0.9)
    assert found.span == pytest.approx(2.0)


def test_few_values_are_all_points_and_a_missing_cell_is_the_last():
    column = Column(name="a", kind="number", missing_share=0.2)
    found = drawn(column, [1.0, 5.0, np.nan, 1.0], lambda c: np.nan_to_num(c["a"], nan=-1.0))
    assert [(point.value, point.mean) for point in found.points] == [(1, 1), (5, 5), (None, -1)]


def test_the_range_of_the_contract_serves_where_the_rows_have_none():
    found = drawn(NUMBER, [np.nan, np.nan], lambda c: c["a"], points=3)
    assert [point.value for point in found.points] == [0.0, 5.0, 10.0]


def test_categories_are_those_of_the_contract_most_frequent_first():
    column = Column(name="a", kind="category", categories=("x", "yy", "zzz"), missing_share=0.1)

    def lengths(columns):
        return np.array([len(text) for text in columns["a"]], float)

    cells = np.array(["x", "zzz"], dtype=object)
    found = drawn(column, cells, lengths, points=2)
    assert [(point.value, point.mean) for point in found.points] == [("x", 1), ("yy", 2), (None, 0)]
    unlisted = drawn(Column(name="a", kind="category"), cells[[1, 1, 0]], lengths)
    assert [point.value for point in unlisted.points] == ["zzz", "x"]


def test_booleans_and_times_have_their_points():
    flag = drawn(Column(name="a", kind="boolean"), [1.0, np.nan], lambda c: c["a"])
    assert [point.value for point in flag.points] == [0.0, 1.0]
    time = Column(name="a", kind="datetime", missing_share=0.5)
    cells = np.array([0, MISSING_TIME, 86_400_000_000], dtype=np.int64)
    found = drawn(time, cells, lambda c: (c["a"] == MISSING_TIME).astype(float))
    assert [point.value for point in found.points] == [
        "1970-01-01T00:00:00.000000", "1970-01-02T00:00:00.000000", None,
    ]  # fmt: skip
    assert [point.mean for point in found.points] == [0.0, 0.0, 1.0]
