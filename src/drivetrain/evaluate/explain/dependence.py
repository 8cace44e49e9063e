"""Partial dependence: the mean prediction when one column is set to the same value in all rows.

Source: Friedman, Greedy Function Approximation, Annals of Statistics 29 (2001), section 8.2.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns
from drivetrain.core.contract import Column
from drivetrain.runtime.explain.quantity import Quantity, count_rows

DRAWN_KINDS = ("number", "boolean", "category", "datetime")  # a text or a vector has no axis


class DependencePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction with the column set to ``value`` in every row; None is a missing cell."""

    value: float | str | None
    mean: float
    low: float  # 10 % of the rows are predicted lower,
    high: float  # 10 % higher


class Dependence(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction along one column. A missing cell is the last point, if training saw some."""

    column: str
    points: tuple[DependencePoint, ...]

    @property
    def span(self) -> float:
        """Greatest difference between the means of two points."""
        means = [point.mean for point in self.points]
        return max(means) - min(means) if means else 0.0


def partial_dependence(
    quantity: Quantity, column: Column, columns: Columns, *, points: int = 12
) -> Dependence:
    """Draw how the prediction depends on a column, all else as it is in the rows.

    Parameters
    ----------
    column
        Of one of ``DRAWN_KINDS``.
    columns
        Typed columns of n rows, n >= 1. The graph runs over n rows for each point.
    points
        Greatest number of points, >= 2: quantiles of the cells of a number or a time, or the
        range of the Contract where the rows have none; the most frequent categories.
    """
    rows = count_rows(columns)
    grid = _grid(column, columns[column.name], points)
    tables = {name: np.tile(values, (len(grid), *(1,) * (values.ndim - 1)))
              for name, values in columns.items()}  # fmt: skip
    tables[column.name] = np.repeat(grid, rows)
    found = quantity(tables).reshape(len(grid), rows)
    means, (low, high) = found.mean(axis=1), np.quantile(found, [0.1, 0.9], axis=1)
    return Dependence(
        column=column.name,
        points=tuple(
            DependencePoint(value=_shown(column, cell), mean=mean, low=below, high=above)
            for cell, mean, below, above in zip(
                grid.tolist(), means.tolist(), low.tolist(), high.tolist(), strict=True
            )
        ),
    )


def _grid(column: Column, cells: Array, points: int) -> Array:
    """Return the cells to set, in order, the missing cell last."""
    missing = _missing(column)
    if column.kind == "boolean":
        present: Array = np.array([0.0, 1.0])
    elif column.kind == "category":
        present = np.array(_categories(column, cells)[:points], dtype=object)
    else:
        present = _quantiles(column, cells, points)
    if column.missing_share > 0 or not len(present):
        present = np.append(present, np.array([missing], dtype=present.dtype))
    return present


def _categories(column: Column, cells: Array) -> list[str]:
    if column.categories:
        return list(column.categories)
    names, counts = np.unique(cells[cells != ""].astype(str), return_counts=True)
    return [str(name) for name in names[np.argsort(-counts, kind="stable")]]


def _quantiles(column: Column, cells: Array, points: int) -> Array:
    is_time = column.kind == "datetime"
    seen = np.unique(cells[cells != MISSING_TIME] if is_time else cells[np.isfinite(cells)])
    if len(seen) > points:
        present = cells[np.isin(cells, seen)]
        return np.unique(np.quantile(present, np.linspace(0, 1, points), method="nearest"))
    if len(seen) > 1 or column.low is None or column.high is None:
        return seen
    return np.unique(np.linspace(column.low, column.high, points)).astype(cells.dtype)


def _missing(column: Column) -> Any:
    if column.kind == "category":
        return ""
    return MISSING_TIME if column.kind == "datetime" else np.nan


def _shown(column: Column, cell: Any) -> float | str | None:
    if column.kind == "category":
        return cell or None
    if column.kind == "datetime":
        return None if cell == MISSING_TIME else str(np.datetime64(cell, "us"))
    return None if np.isnan(cell) else float(cell)
