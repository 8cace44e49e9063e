from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.evaluate.explain.arithmetic import (
    BINARY,
    REGRESSION,
    Formula,
    exact_shapley,
    numbers,
)

from drivetrain.core.errors import SettingError
from drivetrain.runtime.explain import shapley
from drivetrain.runtime.explain.quantity import quantity_of
from drivetrain.runtime.explain.shapley import shapley_values


def crossed(c):
    return np.sin(c["a"] * c["b"]) + np.exp(c["c"] / 4) * c["a"] + c["d"] ** 2


def values_of(found):
    return {each.column: each.value for each in found.columns}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_values_add_up_to_the_difference_from_the_base(seed, rows):
    row, background = numbers("abcd", 1, seed), numbers("abcd", rows, seed + 1)
    found = shapley_values(crossed, row, background, seed=seed)
    assert found.base == crossed(background).mean()
    assert found.prediction == crossed(row)[0]
    total = found.base + sum(each.value for each in found.columns)
    assert total == pytest.approx(found.prediction, abs=1e-12)


def test_a_linear_model_is_explained_exactly():
    weights = {"a": 2.0, "b": -1.5, "c": 0.25}

    def linear(columns):
        return sum(weight * columns[name] for name, weight in weights.items())

    row, background = numbers("abc", 1, 1), numbers("abc", 40, 2)
    found = values_of(shapley_values(linear, row, background))
    for name, weight in weights.items():
        expected = weight * (row[name][0] - background[name].mean())
        assert found[name] == pytest.approx(expected, abs=1e-12)


def test_crossed_columns_agree_with_the_definition_within_their_errors():
    row, background = numbers("abcd", 1, 3), numbers("abcd", 2000, 4)
    found = shapley_values(crossed, row, background, seed=5)
    exact = exact_shapley(crossed, row, background)
    for each in found.columns:
        assert abs(each.value - exact[each.column]) < 4 * each.error
        assert each.error < 0.1


def test_errors_tell_how_far_values_scatter():
    row, background = numbers("abcd", 1, 3), numbers("abcd", 60, 4)
    runs = [shapley_values(crossed, row, background, seed=seed) for seed in range(60)]
    for name in "abc":
        scatter = np.std([values_of(run)[name] for run in runs])
        said = np.mean([each.error for run in runs for each in run.columns if each.column == name])
        assert scatter < 1.5 * said  # the background, which stays, is a part of the error


def test_a_column_without_effect_gets_nothing():
    row, background = numbers("abcde", 1, 3), numbers("abcde", 30, 4)
    found = shapley_values(crossed, row, background)
    (dummy,) = [each for each in found.columns if each.column == "e"]
    assert (dummy.value, dummy.error) == (0.0, 0.0)
    assert found.columns[-1] is dummy


def test_copies_of_a_column_get_the_same():
    def doubled(columns):
        return np.sin(columns["a"] + columns["copy"]) * columns["b"]

    row, background = numbers("ab", 1, 3), numbers("ab", 4000, 4)
    row["copy"], background["copy"] = row["a"], background["a"]
    found = shapley_values(doubled, row, background)
    copies = [each for each in found.columns if each.column in ("a", "copy")]
    allowed = 4 * np.hypot(copies[0].error, copies[1].error)
    assert abs(copies[0].value - copies[1].value) < allowed < 0.2


def test_a_batch_of_any_size_gives_the_same_values(monkeypatch):
    row, background = numbers("abcd", 1), numbers("abcd", 33, 1)
    whole = shapley_values(crossed, row, background)
    monkeypatch.setattr(shapley, "BATCH_ROWS", 20)
    assert shapley_values(crossed, row, background) == whole


def test_one_column_and_texts_and_vectors_are_explained_too():
    row = {"text": np.array(["long"], dtype=object), "size": np.array([[1.0, 2.0]])}
    background = {
        "text": np.array(["", "a", "ab"], dtype=object),
        "size": np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]]),
    }

    def lengths(columns):
        return np.array([len(text) for text in columns["text"]], float) + columns["size"].sum(1)

    found = values_of(shapley_values(lengths, row, background))
    assert found == pytest.approx({"text": 3.0, "size": 1.0})
    only = shapley_values(lambda c: c["a"] * 2, {"a": np.array([3.0])}, {"a": np.zeros(2)})
    assert values_of(only) == {"a": 6.0}


def test_the_number_explained_is_the_value_or_the_probability_of_the_class():
    columns = {"a": np.array([0.25], np.float32)}
    model = Formula(lambda c: c["a"])
    assert quantity_of(model, BINARY)(columns)[0] == 0.25
    assert quantity_of(model, BINARY, "no")(columns)[0] == 0.75
    assert quantity_of(Formula(lambda c: c["a"]), REGRESSION)({"a": np.ones(1)})[0] == 1.0
    with pytest.raises(SettingError, match="one of no, yes"):
        quantity_of(model, BINARY, "maybe")
    with pytest.raises(SettingError, match="regression"):
        quantity_of(model, REGRESSION, "yes")
