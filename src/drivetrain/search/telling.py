"""What a search says of itself: to whoever watches, and in the journal."""

from __future__ import annotations

from collections.abc import Collection

from drivetrain.search.budget import Budget
from drivetrain.search.journal import TrialEntry
from drivetrain.search.recipe import Recipe
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import Metric


def best_of(trials: Collection[Trial], metric: Metric) -> str:
    """Say the best score so far, and whose it is."""
    if not trials:
        return "no trial yet"
    best = max(trials, key=lambda one: metric.gain(one.score))
    return f"best {metric.name} {best.score:.5f} of {best.key}"


def time_left(budget: Budget) -> str:
    """Say how much of the run's time limit is left."""
    return f"{max(0.0, budget.limit_s - budget.elapsed_s):.0f} s left"


def entry_of(recipe: Recipe, trial: Trial | None, error: str) -> TrialEntry:
    """Return what the journal keeps of a Recipe that is over, with the trial that came of it."""
    if trial is None:
        return TrialEntry(key=recipe.key, recipe=recipe, status="failed", folds=(), error=error)
    return TrialEntry(
        key=recipe.key,
        recipe=recipe,
        status="complete" if trial.is_complete else "partial",
        folds=tuple(fold.number for fold in trial.folds),
        score=trial.score,
        seconds=trial.seconds,
        cost_us=trial.cost_ns / 1000,
        size_bytes=trial.size_bytes,
        details=trial.details,
        choices=tuple(fold.report.choices for fold in trial.folds),
        error="" if trial.is_complete else error,  # all folds were there when it was killed
    )
