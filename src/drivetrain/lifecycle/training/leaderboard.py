"""The trials of a run as rows, the best first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drivetrain.lifecycle.training.settings import TrialRow
from drivetrain.search.journal import TrialEntry
from drivetrain.stats.metric import Metric


def leaderboard_rows(
    trials: Mapping[str, TrialEntry], weights: Mapping[str, float], metric: Metric
) -> tuple[TrialRow, ...]:
    """Make the leaderboard of journalled trials; those without a score come last.

    A student has none: its teacher knew the labels that would judge it (docs/decisions/0080).

    Parameters
    ----------
    weights
        Of the trials in the blend, by key.
    """
    rows = [
        TrialRow(
            trial=key,
            family=entry.recipe.family,
            status=entry.status,
            score=None if entry.recipe.teacher else entry.score,
            weight=weights.get(key, 0.0),
            fit_s=entry.seconds,
            cost_us=entry.cost_us,
            size_bytes=entry.size_bytes,
            details=entry.details,
            error=entry.error,
        )
        for key, entry in trials.items()
    ]
    worst = -np.inf
    return tuple(
        sorted(rows, key=lambda row: -(worst if row.score is None else metric.gain(row.score)))
    )
