"""What cannot be answered is refused before the search, not after it."""

from __future__ import annotations

from drivetrain.core.contract import Contract, Target
from drivetrain.core.errors import DataError, SettingError
from drivetrain.core.manifest import LOWER, OUT_OF_RANGE, SET, UPPER
from drivetrain.graph.head import Head, check_name
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.search.conformal import rows_needed
from drivetrain.stats.costs import cost_matrix


def check_asked(contract: Contract, target: Target, settings: TrainSettings) -> None:
    """Refuse early what cannot be answered.

    Raises
    ------
    SettingError
        If costs are asked of a regression, or are none.
    DataError
        If a column has the name of an output that is asked for.
    """
    if settings.costs:
        if target.task == "regression":
            raise SettingError(
                where="setting 'costs'",
                expected="a target of classes",
                got=f"'{target.name}', a regression",
                remedy="Leave it out, or set --task.",
                code="DT2KE",
            )
        cost_matrix(settings.costs, target.classes)
    for column in contract.columns:
        check_name(column.name, (*Head(target).names, *_asked_names(settings, target.task)))


def check_rows(rows: int, coverage: float | None) -> None:
    """Refuse a coverage that so few rows cannot promise; DataError."""
    if coverage is not None and rows < rows_needed(coverage):
        raise DataError(
            where="setting 'coverage'",
            expected=f"at least {rows_needed(coverage)} rows of training for {coverage:g}",
            got=f"{rows}",
            remedy="Ask for a lower coverage, or give more rows.",
            code="DT2KF",
        )


def _asked_names(settings: TrainSettings, task: str) -> tuple[str, ...]:
    names: tuple[str, ...] = (OUT_OF_RANGE,) if settings.out_of_range else ()
    if settings.coverage is None:
        return names
    return (LOWER, UPPER, *names) if task == "regression" else (SET, *names)
