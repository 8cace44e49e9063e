from __future__ import annotations

from typing import Any

import pytest

from drivetrain.core.errors import MissingLibraryError
from drivetrain.models.family import Shape, Space
from drivetrain.search.portfolio import SAMPLE_ROWS, plan_folds, plan_portfolio
from drivetrain.search.target_map import TargetMap


class Kind:
    def __init__(self, encoding: str, *defaults: dict[str, Any], tasks: Any = ("binary",)) -> None:
        self.tasks = tasks
        self._space = Space(defaults=defaults, encoding=encoding)  # type: ignore[arg-type]

    def space(self, task: str, shape: Shape) -> Space:
        return self._space


class Folder:
    """Stands in for a folder of families."""

    def __init__(self, **families: Any) -> None:
        self._families = families

    def names(self) -> list[str]:
        return sorted(self._families)

    def load(self, name: str) -> Any:
        found = self._families[name]
        if isinstance(found, Exception):
            raise found
        return found


FOLDER = Folder(
    linear=Kind("linear", {"c": 1}),
    lightgbm=Kind("trees", {"leaves": 31}, {"leaves": 8}, {"leaves": 3}),
    values_only=Kind("trees", {"a": 1}, tasks=("regression",)),
    absent=MissingLibraryError(
        where="family 'absent'", expected="library 'x' to be installed", got="none", remedy="Do."
    ),
)


def drafts(rows: int, features: int = 10) -> list[tuple[str, Any, Any]]:
    planned = plan_portfolio(FOLDER, "binary", Shape(rows, features, 2), seed=0).drafts  # type: ignore[arg-type]
    return [(one.family, dict(one.parameters), one.sample) for one in planned]


def test_two_of_the_first_family_go_before_the_best_of_each_and_these_before_the_others() -> None:
    assert drafts(1000) == [
        ("lightgbm", {"leaves": 31}, None),
        ("lightgbm", {"leaves": 8}, None),
        ("lightgbm", {"leaves": 31}, None),
        ("linear", {"c": 1}, None),
        ("linear", {"c": 1}, None),
        ("lightgbm", {"leaves": 31}, None),
        ("lightgbm", {"leaves": 3}, None),
    ]


def test_the_first_default_is_tried_on_all_encodings() -> None:
    planned = plan_portfolio(FOLDER, "binary", Shape(1000, 10, 2), seed=0).drafts  # type: ignore[arg-type]
    variants = ["planned", "planned", "values", "planned", "splines", "derived", "planned"]
    assert [one.variant for one in planned] == variants


def test_words_of_names_are_tried_once_where_there_are_any() -> None:
    planned = plan_portfolio(FOLDER, "binary", Shape(1000, 10, 2), seed=0, words=True).drafts  # type: ignore[arg-type]
    variants = [one.variant for one in planned]
    assert variants[:4] == ["planned", "planned", "words", "values"]
    assert variants.count("words") == 1


def test_a_transformed_target_comes_right_behind_the_first_trial_of_a_family_and_of_curves() -> (
    None
):
    one = TargetMap(kind="log", values=(0.0, 1.0, 2.0), mapped=(0.0, 0.7, 1.1))
    planned = plan_portfolio(FOLDER, "binary", Shape(1000, 10, 2), seed=0, maps=(one,)).drafts  # type: ignore[arg-type]
    mapped = [(draft.family, draft.target is one) for draft in planned]
    assert mapped[:8] == [
        ("lightgbm", False), ("lightgbm", True), ("lightgbm", False), ("lightgbm", False),
        ("linear", False), ("linear", True), ("linear", False), ("linear", True),
    ]  # fmt: skip
    assert sum(is_mapped for _, is_mapped in mapped) == 3


def test_families_race_on_a_sample_of_a_large_table_behind_the_first_on_all_rows() -> None:
    assert drafts(1_000_000)[:4] == [
        ("lightgbm", {"leaves": 31}, SAMPLE_ROWS),
        ("lightgbm", {"leaves": 31}, None),
        ("linear", {"c": 1}, SAMPLE_ROWS),
        ("lightgbm", {"leaves": 31}, None),
    ]
    assert drafts(300, 20_000)[0][2] is None


def test_a_random_forest_is_tried_on_few_rows_only() -> None:
    folder = Folder(random_forest=Kind("trees", {"trees": 100}))
    assert plan_portfolio(folder, "binary", Shape(1_000, 10, 2), seed=0).drafts  # type: ignore[arg-type]
    assert not plan_portfolio(folder, "binary", Shape(10_000, 10, 2), seed=0).drafts  # type: ignore[arg-type]


def test_an_absent_library_is_a_decision_that_says_what_to_install() -> None:
    decisions = plan_portfolio(FOLDER, "binary", Shape(10, 2, 2), seed=0).decisions  # type: ignore[arg-type]
    (decision,) = decisions
    assert decision.subject == "family 'absent'"
    assert "library 'x'" in decision.reason


@pytest.mark.parametrize(
    ("rows", "cut", "fitted"),
    [(300, 8, 8), (15_000, 5, 5), (30_000, 4, 4), (80_000, 3, 3), (1_000_000, 8, 2)],
)
def test_folds_follow_the_number_of_rows(rows: int, cut: int, fitted: int) -> None:
    plan = plan_folds(rows)
    assert (plan.cut, plan.fitted) == (cut, fitted)
    assert f"{rows:,}" in plan.decision.reason


@pytest.mark.parametrize(("limit_s", "cut"), [(10.0, 4), (30.0, 5), (60.0, 8)])
def test_a_short_run_has_fewer_folds_and_says_so(limit_s: float, cut: int) -> None:
    plan = plan_folds(3000, limit_s=limit_s)
    assert (plan.cut, plan.fitted) == (cut, cut)
    assert (f"in {limit_s:g} s" in plan.decision.reason) == (cut < 8)


def test_folds_that_were_asked_for_are_made() -> None:
    assert plan_folds(1_000_000, asked=3).fitted == 3
