"""The stage of ``adopt`` that adds what was asked for: intervals or sets, costs, ranges.

The model has seen none of the given rows: all of it is chosen on half of them, and the other half
says whether it came true.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drivetrain.core.arrays import Columns, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.errors import DataError, SettingError
from drivetrain.core.findings import Decision
from drivetrain.graph.adopted import Adopted
from drivetrain.lifecycle.adopting.inputs import target_in
from drivetrain.lifecycle.adopting.settings import AdoptSettings
from drivetrain.lifecycle.training.answers import OutOfFold, add_asked
from drivetrain.runtime.explain.quantity import rows_of
from drivetrain.search.conformal import rows_needed
from drivetrain.search.ranges import find_ranges


def halves(rows: int, seed: int) -> tuple[IndexVector, IndexVector]:
    """Return the rows to choose on and those to judge by, each in order."""
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[: rows // 2]), np.sort(order[rows // 2 :])


def with_asked(
    adopted: Adopted,
    answers: FloatMatrix,
    columns: Columns,
    y: FloatVector,
    settings: AdoptSettings,
) -> tuple[Adopted, tuple[Decision, ...]]:
    """Add to an adopted model what was asked for.

    Parameters
    ----------
    answers
        Its values (n, 1), or probabilities (n, K).

    Raises
    ------
    SettingError
        If costs are asked of a regression, are none, or a threshold is set beside them.
    DataError
        If there are too few rows for the coverage.
    """
    if settings.coverage is None and not settings.costs and not settings.out_of_range:
        return adopted, ()
    target = target_in(adopted.contract)
    if settings.costs and (target.task == "regression" or settings.threshold is not None):
        raise SettingError(
            where="setting 'costs'",
            expected="a target of classes, and no threshold beside the costs",
            got="a regression" if target.task == "regression" else f"{settings.threshold:g}",
            remedy="Leave one of them out.",
            code="DT2KG",
        )
    chosen, _ = halves(len(y), settings.seed)
    if settings.coverage is not None and len(chosen) < rows_needed(settings.coverage):
        raise DataError(
            where="setting 'coverage'",
            expected=f"at least {2 * rows_needed(settings.coverage)} rows for "
            f"{settings.coverage:g}, half of them to judge it by",
            got=f"{len(y)}",
            remedy="Ask for a lower coverage, or give more rows.",
            code="DT2KH",
        )
    ranges = None
    if settings.out_of_range:
        some = rows_of(columns, chosen)
        ranges = find_ranges(adopted.contract, some, seed=settings.seed)
    added = add_asked(
        OutOfFold(answers[chosen], y[chosen], None), target, ranges,
        coverage=settings.coverage, costs=settings.costs, seed=settings.seed,
    )  # fmt: skip
    threshold = adopted.threshold if added.threshold is None else added.threshold
    found = replace(adopted, threshold=threshold, costs=added.costs, extras=added.extras)
    return found, added.decisions
