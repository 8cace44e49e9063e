"""The tuner proposes parameters around what did best, the same ones from the same trials."""

from types import SimpleNamespace
from typing import Any

from drivetrain.features.encoder import EncoderSpec
from drivetrain.models.family import Range, Space
from drivetrain.search.recipe import Recipe
from drivetrain.search.tuner import Tuner
from drivetrain.stats.metrics import find_metric

SPACES = {
    "trees": Space(
        defaults=({"rate": 0.1, "leaves": 31, "kind": "a"},),
        ranges={
            "rate": Range(low=0.01, high=0.2, log=True),
            "leaves": Range(low=4, high=64, integer=True, log=True),
            "kind": Range(choices=("a", "b")),
        },
    ),
    "plain": Space(defaults=({"x": 1},)),
}


PLANNED = (EncoderSpec("number", ("x",)),)


def trial(family: str, score: float, **parameters: Any) -> Any:
    recipe = Recipe(
        encoding="trees", encoders=PLANNED, family=family, parameters=parameters, seed=0
    )
    return SimpleNamespace(recipe=recipe, score=score)


DONE = (
    trial("trees", 0.9, rate=0.1, leaves=31, kind="a", rounds=7),
    trial("plain", 0.95, x=1),
)


def tuner(rows: int = 1000, seed: int = 0) -> Tuner:
    return Tuner(spaces=SPACES, metric=find_metric("auc"), rows=rows, seed=seed)


def test_proposals_lie_in_the_ranges_and_keep_the_rest_of_the_best() -> None:
    drafts = tuner().drafts(lambda: DONE)
    for _, draft in zip(range(5), drafts):
        assert draft.family == "trees"  # the other family has nothing to tune
        assert 0.01 <= draft.parameters["rate"] <= 0.2
        assert 4 <= draft.parameters["leaves"] <= 64
        assert draft.parameters["kind"] in ("a", "b")
        assert draft.parameters["rounds"] == 7
        assert draft.encoders == PLANNED


def test_the_same_trials_and_seed_give_the_same_proposals() -> None:
    first, second, other = (
        next(tuner(seed=seed).drafts(lambda: DONE)).parameters for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other


def test_few_rows_allow_few_candidates() -> None:
    many = DONE * 6
    assert list(tuner(rows=400).drafts(lambda: many)) == []
    assert next(tuner(rows=5_000).drafts(lambda: many))


def test_without_a_trial_nothing_is_proposed() -> None:
    assert list(tuner().drafts(tuple)) == []


def test_proposals_that_lead_to_no_trial_come_to_an_end() -> None:
    assert 2 <= len(list(tuner(rows=100_000).drafts(lambda: DONE))) < 20
