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
FIRST = Draft("lightgbm", "trees", {}, seed=0)
PLAIN = Draft("catboost", "trees", {}, seed=0)
MAPPED, DERIVED = replace(PLAIN, target=LOG), replace(PLAIN, variant="derived")


def tried(draft: Draft, score: float) -> tuple[Draft, Trial]:
    recipe = Recipe(encoding="trees", encoders=(), family=draft.family, parameters={}, seed=0)
    return draft, Trial(recipe, (), np.zeros((1, 1)), score, 1.0, 1.0, is_complete=True)


@pytest.mark.parametrize(
    ("winner", "loser"),
    [(MAPPED, PLAIN), (DERIVED, PLAIN)],
    ids=["transform of the target", "features of two columns"],
)
def test_what_clearly_won_is_learned_by_the_next_family(winner: Draft, loser: Draft) -> None:
    trials = [tried(FIRST, 10.0), tried(replace(winner, family="lightgbm"), 9.0)]
    assert settled(loser, trials, RMSE) == winner
    assert settled(winner, trials, RMSE) == winner


@pytest.mark.parametrize("loser", [MAPPED, DERIVED])
def test_what_clearly_lost_is_not_tried_again(loser: Draft) -> None:
    trials = [tried(FIRST, 9.0), tried(replace(loser, family="lightgbm"), 10.0)]
    assert settled(loser, trials, RMSE) is None
    assert settled(PLAIN, trials, RMSE) == PLAIN


@pytest.mark.parametrize(
    "trials",
    [[], [tried(FIRST, 10.0)], [tried(FIRST, 10.0), tried(replace(FIRST, target=LOG), 9.99)]],
)
def test_without_a_clear_winner_both_are_tried(trials: list[tuple[Draft, Trial]]) -> None:
    for draft in (PLAIN, MAPPED, DERIVED):
        assert settled(draft, trials, RMSE) == draft


def test_a_metric_of_which_more_is_better_is_settled_the_same_way() -> None:
    trials = [tried(FIRST, 0.80), tried(replace(FIRST, target=LOG), 0.90)]
    assert settled(PLAIN, trials, find_metric("r2")) == MAPPED


def test_linear_models_are_always_tried_on_both_targets() -> None:
    trials = [tried(FIRST, 9.0), tried(replace(FIRST, target=LOG), 10.0)]
    linear = replace(MAPPED, family="linear", encoding="linear")
    assert settled(linear, trials, RMSE) == linear


def test_nets_learn_curves_of_numbers_where_tabm_does_better_on_them() -> None:
    tabm = Draft("tabm", "linear", {}, seed=0)
    mlp, curves = replace(tabm, family="mlp"), replace(tabm, variant="splines")
    won = [tried(FIRST, 9.0), tried(tabm, 10.0), tried(curves, 9.0)]
    lost = [tried(FIRST, 9.0), tried(tabm, 9.0), tried(curves, 10.0)]
    assert settled(mlp, won, RMSE) == replace(mlp, variant="splines")
    assert settled(mlp, lost, RMSE) == mlp
    assert settled(replace(curves, family="linear"), lost, RMSE) is not None


def raced(family: str, score: float) -> tuple[Draft, Trial]:
    return tried(replace(PLAIN, family=family, sample=100), score)


def test_a_family_of_the_worse_half_on_a_sample_is_not_fitted_on_all_rows() -> None:
    heats = [raced("lightgbm", 9.0), raced("linear", 14.0), raced("catboost", 9.05)]
    assert settled(replace(PLAIN, family="linear"), heats, RMSE) is None
    assert settled(PLAIN, heats, RMSE) == PLAIN  # so little worse than the middle is no loss
    assert settled(replace(PLAIN, family="linear", sample=100), heats, RMSE) is not None


def test_a_race_of_two_families_settles_nothing() -> None:
    heats = [raced("lightgbm", 9.0), raced("linear", 14.0)]
    assert settled(replace(PLAIN, family="linear"), heats, RMSE) is not None
