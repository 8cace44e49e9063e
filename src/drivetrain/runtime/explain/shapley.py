"""Shapley values of one row, by sampling on the graph.

The columns of a background row are replaced by those of the row to be explained, one after the
other in a random order; what the prediction changes at each step is credited to that step's
column. The steps of one order add up to the prediction's difference from the background row's, so
the values add up to its difference from the base, the mean over the same background rows: by
construction, whatever the sample. Each order is also walked backwards, which cancels much of the
noise of columns that act in pairs.

Sources: Strumbelj and Kononenko, Knowledge and Information Systems 41 (2014); antithetic orders:
Mitchell et al., Sampling Permutations for Shapley Value Estimation, JMLR 23 (2022).
"""

from __future__ import annotations

import msgspec
import numpy as np

from drivetrain.core.arrays import Columns, FloatMatrix, FloatVector, IndexVector
from drivetrain.runtime.explain.quantity import Quantity, count_rows

BATCH_ROWS = 16_384  # rows of one run of the graph


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """What one column moves the prediction by; ``error`` is the standard error of sampling."""

    column: str
    value: float
    error: float


class Contributions(msgspec.Struct, frozen=True, kw_only=True):
    """``prediction`` = ``base`` + the sum of the values, to the rounding of doubles."""

    prediction: float
    base: float  # mean over the background rows
    base_error: float  # standard error of the base, for other rows of the same data
    columns: tuple[Contribution, ...]  # the largest first, either sign
    orders: int  # that were walked


def shapley_values(
    quantity: Quantity, row: Columns, background: Columns, *, seed: int = 0
) -> Contributions:
    """Share out the difference between a row's prediction and the base among its columns.

    Parameters
    ----------
    quantity
        The number to be explained, of n rows.
    row
        Typed columns of one row.
    background
        Typed columns of m rows, m >= 2: what "not knowing a column" means. Two orders are walked
        for each, 2 m (k - 1) rows of k columns in all, and errors fall with the square root of m.
    """
    names = tuple(row)
    rows = count_rows(background)
    random = np.random.default_rng(seed)
    orders = np.array([random.permutation(len(names)) for _ in range(rows)])
    start = quantity(background)
    end = float(quantity(row)[0])
    steps = np.zeros((rows, len(names)))
    size = max(1, BATCH_ROWS // len(names))
    for first in range(0, rows, size):
        walks = np.arange(first, min(first + size, rows))
        for order in (orders[walks], orders[walks, ::-1]):
            path = np.empty((len(walks), len(names) + 1))
            path[:, 0], path[:, -1] = start[walks], end
            path[:, 1:-1] = _between(quantity, row, background, walks, order)
            steps[walks[:, None], order] += np.diff(path, axis=1) / 2
    return _collected(names, steps, start, end)


def _between(
    quantity: Quantity, row: Columns, background: Columns, walks: IndexVector, order: IndexVector
) -> FloatMatrix:
    """Return the prediction after each step but the last, (walks, columns - 1).

    ``order`` is (walks, columns): the columns in the order in which they are replaced.
    """
    count = order.shape[1]
    if count == 1:
        return np.empty((len(walks), 0))
    place = np.argsort(order, axis=1)  # at which step each column is replaced
    mixed: Columns = {}
    for number, name in enumerate(row):
        cells = np.repeat(background[name][walks], count - 1, axis=0)
        is_replaced = (place[:, number, None] < np.arange(1, count)).ravel()
        cells[is_replaced] = row[name][0]
        mixed[name] = cells
    return quantity(mixed).reshape(len(walks), count - 1)


def _collected(
    names: tuple[str, ...], steps: FloatMatrix, start: FloatVector, end: float
) -> Contributions:
    rows = len(steps)
    values, base = steps.mean(axis=0), float(start.mean())
    errors = steps.std(axis=0, ddof=1) / np.sqrt(rows)
    found = [
        Contribution(column=name, value=value, error=error)
        for name, value, error in zip(names, values.tolist(), errors.tolist(), strict=True)
    ]
    return Contributions(
        prediction=end,
        base=base,
        base_error=float(start.std(ddof=1) / np.sqrt(rows)),
        columns=tuple(sorted(found, key=lambda each: (-abs(each.value), each.column))),
        orders=2 * rows,
    )
