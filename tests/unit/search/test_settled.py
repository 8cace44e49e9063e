from dataclasses import replace

import numpy as np
import pytest

from drivetrain.search.portfolio import Draft
from drivetrain.search.recipe import Recipe
from drivetrain.search.settled import settled
from drivetrain.search.target_map import TargetMap
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import find_metric

LOG = TargetMap(kind="log", values=(0.0, 1.0, 3.0), mapped=(0.0, 0.7, 1.4))
RMSE = find_metric("rmse")
PLAIN = Draft("catboost", "trees", {}, seed=0)


def trial(score: float, target: TargetMap | None, family: str = "lightgbm") -> Trial:
    recipe = Recipe(
        encoding="trees", encoders=(), family=family, parameters={}, seed=0, target=target
    )
    return Trial(recipe, (), np.zeros((1, 1)), score, 1.0, 1.0, is_complete=True)


def test_a_transform_that_clearly_won_is_learned_by_the_next_family() -> None:
    trials = [trial(10.0, None), trial(9.0, LOG)]
    assert settled(PLAIN, trials, RMSE) == replace(PLAIN, target=LOG)


def test_a_transform_that_clearly_lost_is_not_tried_again() -> None:
    trials = [trial(9.0, None), trial(10.0, LOG)]
    assert settled(replace(PLAIN, target=LOG), trials, RMSE) is None
    assert settled(PLAIN, trials, RMSE) == PLAIN


@pytest.mark.parametrize("trials", [[], [trial(10.0, None)], [trial(10.0, None), trial(9.99, LOG)]])
def test_without_a_clear_winner_both_are_tried(trials: list[Trial]) -> None:
    for draft in (PLAIN, replace(PLAIN, target=LOG)):
        assert settled(draft, trials, RMSE) == draft


def test_a_metric_of_which_more_is_better_is_settled_the_same_way() -> None:
    trials = [trial(0.80, None), trial(0.90, LOG)]
    assert settled(PLAIN, trials, find_metric("r2")) == replace(PLAIN, target=LOG)


def test_linear_models_are_always_tried_on_both() -> None:
    trials = [trial(9.0, None), trial(10.0, LOG)]
    linear = replace(PLAIN, family="linear", target=LOG)
    assert settled(linear, trials, RMSE) == linear
