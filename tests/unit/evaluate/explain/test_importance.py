from __future__ import annotations

import numpy as np
import pytest
from tests.unit.evaluate.explain.arithmetic import (
    BINARY,
    REGRESSION,
    Formula,
    contract_of,
    numbers,
)

from drivetrain.evaluate.explain.importance import permutation_importance
from drivetrain.stats.metrics import METRICS


def importance(formula, columns, y, *, target=REGRESSION, metric="rmse", **more):
    names = "".join(columns)
    found = permutation_importance(
        Formula(formula), contract_of(names, target), columns, y,
        target=target, metric=METRICS[metric], **more,
    )  # fmt: skip
    return {each.column: each for each in found}


def test_columns_are_ranked_by_their_weight_and_a_dummy_loses_nothing():
    columns = numbers("abcd", 2000)
    y = 3 * columns["a"] + columns["b"] + 0.1 * columns["c"]
    found = importance(lambda c: 3 * c["a"] + c["b"] + 0.1 * c["c"], columns, y)
    assert list(found) == ["a", "b", "c", "d"]
    dummy = found["d"]
    assert (dummy.drop, dummy.low, dummy.high) == (0.0, 0.0, 0.0)


def test_the_loss_of_a_linear_model_is_the_known_one():
    """Shuffling x of variance 1 and weight w adds noise of variance 2 w²."""
    columns = numbers("ab", 20_000)
    found = importance(lambda c: 2 * c["a"], columns, 2 * columns["a"])
    assert found["a"].drop == pytest.approx(np.sqrt(8), rel=0.03)
    assert found["a"].low < found["a"].drop < found["a"].high


def test_the_interval_holds_the_loss_on_other_rows_nine_times_in_ten():
    truth, held = np.sqrt(2), 0
    for seed in range(40):
        columns = numbers("a", 200, seed)
        found = importance(lambda c: c["a"], columns, columns["a"], seed=seed)["a"]
        held += found.low <= truth <= found.high
    assert held >= 36


def test_for_a_metric_that_grows_a_loss_is_a_fall():
    columns = {name: cells.astype(np.float32) for name, cells in numbers("ab", 500).items()}
    y = (columns["a"] > 0).astype(float)
    found = importance(lambda c: 1 / (1 + np.exp(-c["a"])), columns, y, target=BINARY, metric="auc")
    assert found["a"].drop == pytest.approx(0.5, abs=0.05)
    assert found["b"].drop == 0.0


def test_the_graph_runs_once_for_each_shuffle_and_once_for_all():
    columns, model = numbers("ab", 50), Formula(lambda c: c["a"])
    permutation_importance(
        model, contract_of("ab"), columns, columns["a"],
        target=REGRESSION, metric=METRICS["mae"], repeats=3,
    )  # fmt: skip
    assert model.rows_run == 50 * (1 + 2 * 3)
