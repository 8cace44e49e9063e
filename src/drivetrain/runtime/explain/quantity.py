"""The number that is explained: a predicted value, or the probability of one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from drivetrain.core.arrays import Columns, FloatVector, IndexVector
from drivetrain.core.contract import Target
from drivetrain.core.errors import SettingError, Value
from drivetrain.runtime.runs import Runs

Quantity: TypeAlias = Callable[[Columns], FloatVector]  # float64 (n,) of n rows


def quantity_of(model: Runs, target: Target, label: str | None = None) -> Quantity:
    """Return the function that asks the graph for the number to be explained.

    Parameters
    ----------
    label
        The class whose probability it is; by default the second of a binary task. A regression
        has none: its number is the predicted value.

    Raises
    ------
    SettingError
        If there is no such class, or the task has several and none is named.
    """
    if target.task == "regression":
        if label is not None:
            raise _refused("no label: the task is a regression", label)
        return lambda columns: np.asarray(model.run(columns)["prediction"], np.float64)
    if label is None and target.task == "binary":
        label = target.classes[1]
    if label is None or label not in target.classes:
        raise _refused(f"one of {', '.join(target.classes)}", label)
    number = target.classes.index(label)
    return lambda columns: np.asarray(model.run(columns)["probabilities"][:, number], np.float64)


def rows_of(columns: Columns, rows: IndexVector) -> Columns:
    """Return some rows of typed columns."""
    return {name: values[rows] for name, values in columns.items()}


def count_rows(columns: Columns) -> int:
    """Return how many rows the columns have; 0 if there is no column."""
    return len(next(iter(columns.values()))) if columns else 0


def _refused(expected: str, label: str | None) -> SettingError:
    return SettingError(
        where="setting 'label'",
        expected=expected,
        got=Value(label),
        remedy="Name a class of the bundle; 'drivetrain inspect' lists them.",
        code="DT2E0",
    )
