"""The scheduler, with families that need no library and encodings that need no encoders."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drivetrain.core.errors import InternalError, SettingError
from drivetrain.core.machine import own_memory_bytes
from drivetrain.core.progress import Progress, Reporter
from drivetrain.search.budget import Budget, Window
from drivetrain.search.crew import Forking, Staff
from drivetrain.search.journal import Header, open_run
from drivetrain.search.portfolio import Draft
from drivetrain.search.run import _Search, search
from drivetrain.search.study import Study
from drivetrain.search.trial import Trial

HEADER = Header(settings={}, data="", packages={})


@dataclass
class NoEncoders:
    """Stands in for Encodings over the study's one matrix."""

    make: Callable[..., Any]
    asked: list[str] = field(default_factory=list)

    def recipe(self, draft: Draft) -> Any:
        self.asked.append(draft.family)
        return self.make(draft.family, seed=draft.seed)


def draft(family: str, seed: int = 0) -> Draft:
    return Draft(family=family, encoding="linear", parameters={}, seed=seed)


@pytest.fixture
def run(study: Study, make_recipe: Any, plugged: Path) -> Any:
    def do(
        drafts: Sequence[Draft],
        limit_s: float = 30.0,
        listener: Any = lambda _: None,
        memory_bytes: int | None = None,
        late_s: float = 0.0,
    ) -> tuple[Trial, ...]:
        crew = Forking(threads=1)
        try:
            with open_run(study.folder.parent / "journal", HEADER) as journal:
                do.journal = journal
                return search(
                    study,
                    NoEncoders(make_recipe),  # type: ignore[arg-type]
                    drafts,
                    journal=journal,
                    budget=Budget(limit_s, time.monotonic() - late_s),
                    staff=Staff(crew, workers=2, memory_bytes=memory_bytes),
                    reporter=Reporter(listener),
                )
        finally:
            crew.close()

    return do


def test_every_draft_becomes_a_trial_with_all_folds(run: Any) -> None:
    heard: list[Progress] = []
    trials = run([draft("slope"), draft("slope", seed=1)], listener=heard.append)
    assert [trial.is_complete for trial in trials] == [True, True]
    assert all(trial.judged().all() for trial in trials)
    assert trials[0].score == pytest.approx(0.0, abs=1e-6)
    assert len(trials[0].details["slope"]) == 3
    assert any("rmse" in news.message for news in heard)


def test_folds_run_in_processes_of_their_own(run: Any) -> None:
    (trial,) = run([draft("slope")])
    assert len(set(trial.details["pid"])) == 3


def test_equal_drafts_are_fitted_once(run: Any) -> None:
    assert len(run([draft("slope"), draft("slope")])) == 1


def test_a_broken_family_is_journalled_and_the_rest_goes_on(run: Any) -> None:
    trials = run([draft("broken"), draft("slope")])
    assert [trial.recipe.family for trial in trials] == ["slope"]
    statuses = {key.split("-")[0]: one.status for key, one in run.journal.trials().items()}
    assert statuses == {"broken": "failed", "slope": "complete"}
    (error,) = [one.error for one in run.journal.trials().values() if one.status == "failed"]
    assert "this family cannot fit" in error


def test_a_stuck_family_is_killed_and_cannot_starve_the_rest(run: Any) -> None:
    trials = run([draft("stuck"), draft("slope")], limit_s=7.0)
    assert [trial.recipe.family for trial in trials] == ["slope"]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system caps a process's data")
def test_a_family_that_takes_too_much_memory_ends_alone_and_the_journal_says_why(run: Any) -> None:
    limit = own_memory_bytes() + 1_000_000_000
    trials = run([draft("greedy"), draft("slope")], memory_bytes=limit)
    assert [trial.recipe.family for trial in trials] == ["slope"]
    (failed,) = [one for one in run.journal.trials().values() if one.status == "failed"]
    assert re.search(r"fold \d needed more memory than its share of \d+ MB", failed.error)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system caps a process's data")
def test_a_memory_limit_for_nothing_is_the_user_s_mistake(run: Any) -> None:
    with pytest.raises(SettingError, match="--memory-limit"):
        run([draft("slope")], memory_bytes=own_memory_bytes())
    with pytest.raises(SettingError, match="--memory-limit"):
        run([draft("greedy")], memory_bytes=own_memory_bytes() + 1_000_000_000)


def test_a_crash_is_not_taken_for_the_clock(run: Any) -> None:
    with pytest.raises(InternalError, match="crashed"):
        run([draft("fatal")])


def test_where_all_families_are_broken_the_error_quotes_the_first(run: Any) -> None:
    with pytest.raises(InternalError, match="this family cannot fit"):
        run([draft("broken")])


def test_where_the_clock_stopped_everything_the_limit_is_to_blame(run: Any) -> None:
    with pytest.raises(SettingError, match="--time-limit"):
        run([draft("stuck")], limit_s=2.0)


def test_finished_folds_are_not_fitted_again(run: Any, study: Study) -> None:
    (first,) = run([draft("slope")])
    (again,) = run([draft("slope")])
    assert again.details["pid"] == first.details["pid"]
    assert len(run.journal.trials()) == 1


def test_a_trial_is_usable_with_the_folds_it_has(run: Any, study: Study) -> None:
    (whole,) = run([draft("slope")])
    for path in sorted(whole.folds[2].folder.iterdir()):
        path.unlink()
    whole.folds[2].folder.rmdir()
    from drivetrain.search.trial import read_trial

    part = read_trial(study, whole.recipe)
    assert part is not None
    assert not part.is_complete
    assert part.judged().sum() == 8
    assert part.score == pytest.approx(0.0, abs=1e-6)


def test_only_a_search_that_has_fitted_nothing_at_all_goes_on_past_its_window() -> None:
    budget = Budget(limit_s=10.0, began=0.0, clock=lambda: 8.0)
    nothing: Any = None
    staff: Any = SimpleNamespace(workers=2)
    one = _Search(nothing, nothing, nothing, budget, Window(9.0, 13.0), staff, nothing, iter(()))
    assert one.left_s() == 5.0
    one._has_fold = True
    assert one.left_s() == 1.0


def test_a_run_that_is_late_before_it_begins_still_has_a_model(run: Any) -> None:
    (trial,) = run([draft("slope")], limit_s=10.0, late_s=60.0)
    assert trial.folds
