from typing import Any

import numpy as np
import pytest
from tests.unit.search.conftest import MakeRecipe

from drivetrain.search.again import KEPT_S, SERVED_NS, SLOWER, TWICE, again_s
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import find_metric

RMSE = find_metric("rmse")


@pytest.fixture
def trial(make_recipe: MakeRecipe) -> Any:
    def make(family: str, score: float, *, seconds: float = 8.0, cost_ns: float = 1000.0) -> Trial:
        recipe = make_recipe(family, seed=int(1000 * score))
        fold: Any = None
        return Trial(recipe, (fold,) * 4, np.zeros((1, 1)), score, cost_ns, seconds, True)

    return make


def test_quick_models_are_fitted_again_once_each_on_all_workers(trial: Any) -> None:
    trials = [trial("slope", 1.0), trial("other", 2.0)]
    assert again_s(trials, RMSE, 2) == pytest.approx(KEPT_S + SLOWER * 16.0 / 2)


def test_of_dear_models_only_those_that_are_served_are_fitted_again_and_twice(trial: Any) -> None:
    dear = [trial("slope", 1.0, cost_ns=2 * SERVED_NS)]
    assert again_s(dear, RMSE, 1) == pytest.approx(KEPT_S + SLOWER * TWICE * 4.0)
    dearest = [trial("slope", 1.0, cost_ns=100 * SERVED_NS)]
    assert again_s(dearest, RMSE, 1) == pytest.approx(KEPT_S + SLOWER * TWICE * 2.0)


def test_a_family_s_best_trial_counts_before_the_second_of_another(trial: Any) -> None:
    quick = [trial("slope", 1.0 + number / 10, seconds=1.0) for number in range(6)]
    slow = trial("other", 9.0, seconds=50.0)
    assert again_s([*quick, slow], RMSE, 1) > again_s(quick, RMSE, 1) + 50.0


def test_no_trial_takes_no_time() -> None:
    assert again_s([], RMSE, 2) == 0.0
