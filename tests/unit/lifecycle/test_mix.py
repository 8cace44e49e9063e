"""Which trials a blend looks at."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from drivetrain.lifecycle.training.mix import MOST_CANDIDATES, OF_A_FAMILY, Pool, promising
from drivetrain.search.recipe import Recipe
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import find_metric

AUC = find_metric("auc")


def trial(family: str, score: float) -> Trial:
    recipe = Recipe(
        encoding="trees", encoders=(), family=family, parameters={"score": score}, seed=0
    )
    return Trial(recipe, (), np.zeros((1, 1)), score, 1.0, 1.0, is_complete=True)


MANY = tuple(trial("lightgbm", 0.9 - n / 1000) for n in range(30))
POOR = tuple(trial("linear", 0.6 - n / 1000) for n in range(5))


def test_the_best_of_each_family_are_looked_at_and_then_the_best_of_all() -> None:
    found = promising((*POOR, *MANY), AUC)
    assert len(found) == MOST_CANDIDATES
    assert [one for one in found if one.recipe.family == "linear"] == list(POOR[:OF_A_FAMILY])
    assert MANY[0] in found
    assert MANY[-1] not in found


def test_a_trial_without_a_score_comes_last() -> None:
    unscored = trial("lightgbm", float("nan"))
    assert unscored not in promising((unscored, *MANY), AUC)


def test_a_student_takes_the_place_of_none() -> None:
    run, tried = SimpleNamespace(metric=AUC), SimpleNamespace(trials=(*POOR, *MANY))
    student = trial("lightgbm", 0.95)
    before = Pool(run, tried).trials  # type: ignore[arg-type]
    assert Pool(run, tried, student).trials == (*before, student)  # type: ignore[arg-type]
