"""The trials of a run, from its journal."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drivetrain.cli.commands.leaderboard import command
from drivetrain.core.errors import BundleError
from drivetrain.lifecycle.leaderboard import leaderboard
from drivetrain.search.journal import (
    SEARCHED,
    ChoiceEntry,
    EndEntry,
    Entry,
    Header,
    TrialEntry,
    TrialStatus,
    open_run,
)
from drivetrain.search.recipe import Recipe

HEADER = Header(settings={"metric": "rmse"}, data="", packages={})


def entry(
    family: str, score: float | None, status: TrialStatus = "complete", error: str = ""
) -> TrialEntry:
    recipe = Recipe(encoding="linear", encoders=(), family=family, parameters={}, seed=0)
    return TrialEntry(
        key=recipe.key, recipe=recipe, status=status, folds=(0,), score=score, seconds=1.5,
        cost_us=2.5, size_bytes=123_000, error=error,
    )  # fmt: skip


def run_of(folder: Path, *entries: Entry) -> Path:
    with open_run(folder, HEADER) as journal:
        for one in entries:
            journal.append(one)
    return folder


def test_the_best_come_first_and_those_that_failed_last_with_their_reason(tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "bundle.run",
        entry("broken", None, "failed", "fold 0 needed more memory than its share of 64 MB"),
        entry("worse", 2.0),
        entry("better", 1.0),
    )
    result = leaderboard(run)
    assert [row.family for row in result.trials] == ["better", "worse", "broken"]
    assert (result.metric, result.status) == ("rmse", "not ended")
    told = command.render(result)
    for words in ("better-", "1.5 s", "2.5 µs", "123", "more memory", "has not ended"):
        assert words in told


def test_a_student_has_no_score_for_its_teacher_knew_the_labels(tmp_path: Path) -> None:
    best = entry("lightgbm", 0.5)
    recipe = msgspec.structs.replace(best.recipe, teacher="a1")
    student = msgspec.structs.replace(best, key=recipe.key, recipe=recipe, score=0.1)
    result = leaderboard(run_of(tmp_path / "bundle.run", best, student))
    assert [row.score for row in result.trials] == [0.5, None]


def test_of_a_run_that_has_ended_the_blend_is_shown_and_its_second_fit_left_out(
    tmp_path: Path,
) -> None:
    first = entry("better", 1.0)
    run_of(
        tmp_path / "bundle.run",
        first,
        ChoiceEntry(name=SEARCHED, value=[[first.key, [0]]]),
        entry("better again", 0.9),
        EndEntry(content_hash="", files={}, elapsed_s=9.0, weights={first.key: 1.0}),
    )
    result = leaderboard(tmp_path / "bundle")  # the run beside it is found
    assert [(row.family, row.weight) for row in result.trials] == [("better", 1.0)]
    assert result.status == "ended"


def test_where_there_is_no_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no journal there"):
        leaderboard(tmp_path)
