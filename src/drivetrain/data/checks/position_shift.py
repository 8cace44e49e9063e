"""Distributions that move with the position of the row: an order of time, or a sorted file."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatMatrix, IndexVector
from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext
from drivetrain.data.signal import explained_share, ranked
from drivetrain.data.target import TargetColumn

STRETCHES = 20
FEWEST_ROWS = 200
SHIFTED = 0.05  # of a column's spread explained by position
SORTED = 0.95  # of a column explained by position, or of the steps that go one way


class PositionShift:
    """Measures how much of each column, and of the target, the position of the row explains."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return one finding over all columns, and one on the target."""
        if context.rows < FEWEST_ROWS:
            return []
        stretch = np.arange(context.rows) * STRETCHES // context.rows
        shifted = {}
        for column in context.about("number", "boolean", "category", "datetime"):
            codes, count = context.codes(column)
            explained = _explained(_spread(codes, count, column.kind == "category"), stretch)
            if explained >= SHIFTED:
                shifted[column.name] = round(explained, 3)
        found = [_columns(shifted)] if shifted else []
        if context.target is not None:
            y = context.target.one_hot()
            if context.target.task == "regression":
                y = ranked(context.target.values)[:, None]
            explained = _explained(y, stretch)
            if explained >= SHIFTED:
                found.append(_target(context.target, explained))
        return found


def _spread(codes: IndexVector, count: int, is_category: bool) -> FloatMatrix:
    """Return ranks of bins, or indicators of the ten most frequent categories, shape (n, k)."""
    if not is_category:
        return ranked(codes.astype(np.float64))[:, None]
    frequent = np.argsort(-np.bincount(codes, minlength=count), kind="stable")[:10]
    indicators: FloatMatrix = (codes[:, None] == frequent[None, :]).astype(np.float64)
    return indicators


def _explained(values: FloatMatrix, stretch: IndexVector) -> float:
    """Share of the spread between stretches, less what chance alone would give."""
    sizes = np.bincount(stretch)
    means = np.stack(
        [np.bincount(stretch, weights=values[:, at]) / sizes for at in range(values.shape[1])],
        axis=1,
    )
    by_chance = (len(sizes) - 1) / len(stretch)
    return max(explained_share(values, means[stretch]) - by_chance, 0.0)


def _columns(shifted: dict[str, float]) -> Finding:
    worst = sorted(shifted, key=lambda name: -shifted[name])
    in_order = [name for name in worst if shifted[name] >= SORTED]
    listed = ", ".join(f"'{name}' ({shifted[name]:.0%})" for name in worst[:5])
    note = f" The rows are in the order of '{in_order[0]}'." if in_order else ""
    return Finding(
        check="position_shift",
        where="rows",
        what=f"The position of the row explains much of {listed}.{note}",
        severity="info",
        evidence={"explained": {name: shifted[name] for name in worst[:20]}},
        remedy="If the rows are in order of time, split by time (time=).",
        columns=tuple(worst),
    )


def _target(target: TargetColumn, explained: float) -> Finding:
    steps = np.diff(target.values)
    against = min((steps < 0).mean(), (steps > 0).mean())
    is_sorted = explained >= 0.5 and against <= 1 - SORTED
    what = "The rows are sorted by the target." if is_sorted else "The target moves with the rows."
    return Finding(
        check="position_shift",
        where=f"target '{target.name}'",
        what=f"{what} Position explains {explained:.0%} of it.",
        severity="warning",
        evidence={"explained": round(explained, 3)},
        remedy="If the rows are in order of time, split by time (time=): a random split flatters.",
    )


check = PositionShift()
