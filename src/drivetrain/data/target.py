"""Infer the task and the classes from the target column."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl

from drivetrain.core.arrays import FloatMatrix, FloatVector, IndexVector, Mask
from drivetrain.core.contract import DEFAULT_MISSING_VALUES, Target, Task
from drivetrain.core.errors import DataError, Value
from drivetrain.core.findings import Decision
from drivetrain.data.read import Table
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.cells import UnreadableCell, canonical, number_of

FEW_CLASSES = 20  # so many whole numbers, each seen often, are classes and not values
MOST_CLASSES = 1000
OFTEN = 10  # rows to a class, on average, to be classes


@dataclass(frozen=True)
class TargetColumn:
    """The target of every row: class numbers 0..K-1 or values, float64 (n,), NaN where missing."""

    name: str
    values: FloatVector
    task: Task
    classes: tuple[str, ...] = ()

    def one_hot(self) -> FloatMatrix:
        """What to average: (n, 1) for binary and regression, else (n, K). No row may be missing."""
        if self.task != "multiclass":
            return self.values[:, None]
        return np.eye(len(self.classes))[self.values.astype(np.int64)]

    def present_rows(self) -> IndexVector:
        """Numbers of the rows that have a target."""
        return np.flatnonzero(~np.isnan(self.values))

    def of_rows(self, rows: IndexVector) -> TargetColumn:
        """Return the target of some rows."""
        return TargetColumn(self.name, self.values[rows], self.task, self.classes)


def infer_target(
    table: Table,
    name: str,
    *,
    task: Task | None = None,
    missing_values: tuple[str, ...] = DEFAULT_MISSING_VALUES,
) -> tuple[Target, Decision]:
    """Infer the task and the classes; rows without a target count for nothing.

    Raises
    ------
    DataError
        If there is no such column, no row has a target, all have the same, a regression's is not
        a finite number, or the task asked for does not fit.
    """
    refuse_unknown_columns(table, (name,), "target")
    counts = _counted(table.frame[name], missing_values)
    if not counts:
        raise _unfit(name, "at least one value", "none: it is missing in every row", "DT2CE")
    if len(counts) == 1:
        (only,) = counts
        got = f"the one value '{only}' in every row"
        raise _unfit(name, "two or more different values", got, "DT2CF")
    inferred, reason = _task_of(counts)
    chosen = task or inferred
    if task is not None and task != inferred:
        reason = f"as asked; the values suggest {inferred}: {reason}"
    if chosen == "regression":
        _refuse_unfit_numbers(name, counts)
        target = Target(
            name=name, task="regression", missing_values=missing_values, evidence=reason
        )
        return target, Decision(subject="task", choice="regression", reason=reason)
    if chosen == "binary" and len(counts) > 2:
        raise _unfit(name, "two classes for task binary", f"{len(counts)} classes", "DT2CG")
    if chosen == "multiclass" and len(counts) == 2:
        chosen, reason = "binary", f"two classes are a binary task; {reason}"
    if len(counts) > MOST_CLASSES:
        got = f"{len(counts)} different labels in {counts.total()} rows"
        raise _unfit(name, f"at most {MOST_CLASSES} classes", got, "DT2CG")
    are_integers = all(_is_integer(text) for text in counts)
    classes = sorted(counts, key=int) if are_integers else sorted(counts)
    target = Target(
        name=name,
        task=chosen,
        classes=tuple(classes),
        label_type="int" if are_integers else "string",
        missing_values=missing_values,
        evidence=reason,
    )
    return target, Decision(subject="task", choice=chosen, reason=reason)


def labelled_rows(table: Table, target: Target) -> Mask:
    """Tell which rows have a target, shape (n,)."""
    cells = table.frame[target.name]
    if cells.dtype.is_float():
        cells = cells.fill_nan(None)
    present = cells.is_not_null()
    if cells.dtype == pl.String:
        missing = {"", *map(canonical, target.missing_values)}
        distinct = cells.drop_nulls().unique().to_list()
        absent = [cell for cell in distinct if _text(cell) in missing]
        present = present & ~cells.is_in(absent).fill_null(value=False)
    mask: Mask = present.to_numpy()
    return mask


def read_target(table: Table, target: Target) -> TargetColumn:
    """Read the target of every row, NaN where it is missing."""
    present = labelled_rows(table, target)
    values = np.full(table.rows, np.nan)
    cells = table.frame[target.name].filter(pl.Series(present))
    values[present] = admit_target(target, cells)
    return TargetColumn(target.name, values, target.task, target.classes)


def refuse_unknown_columns(table: Table, names: tuple[str, ...], role: str) -> None:
    """Raise DataError for the first name that is no column, with the nearest name as remedy."""
    known = table.frame.columns
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), [other.lower() for other in known], n=1)
            meant = next((other for other in known if near and other.lower() == near[0]), None)
            listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
            raise DataError(
                where=f"{table.source}, {role}",
                expected=f"one of its columns: {listed}",
                got=f"'{name}'",
                remedy=f"Did you mean '{meant}'?" if meant else "Name one of these columns.",
                code="DT2CH",
            )


def _counted(cells: pl.Series, missing_values: tuple[str, ...]) -> Counter[str]:
    missing = {"", *map(canonical, missing_values)}
    if cells.dtype.is_nested() or cells.dtype == pl.Binary:
        got = f"cells of type {cells.dtype}"
        raise _unfit(cells.name, "numbers, texts or booleans", got, "DT266")
    table = cells.alias("cell").value_counts(name="rows")  # a column may be called 'count'
    counts: Counter[str] = Counter()
    for cell, count in zip(table.to_series(0).to_list(), table.to_series(1).to_list(), strict=True):
        text = _text(cell)
        if text not in missing:
            counts[text] += count
    return counts


def _text(cell: object) -> str:
    try:
        return canonical(cell)
    except UnreadableCell:
        return str(cell)


def _is_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and canonical(text) == str(int(text)) == text


def _task_of(counts: Counter[str]) -> tuple[Task, str]:
    distinct, rows = len(counts), counts.total()
    if distinct == 2:
        first, second = counts.most_common()
        return "binary", (
            f"two different values: '{first[0]}' in {first[1]} rows, '{second[0]}' in {second[1]}"
        )
    numbers = [number_of(text) for text in counts]
    strays = sum(number is None for number in numbers)
    if strays > 0.05 * distinct:
        return "multiclass", f"{distinct} different labels that are no numbers"
    whole = strays == 0 and all(number and number[0].is_integer() for number in numbers)
    if whole and distinct <= FEW_CLASSES and rows >= OFTEN * distinct:
        return "multiclass", f"only {distinct} different whole numbers in {rows} rows"
    kind = "whole numbers" if whole else "numbers"
    return "regression", f"{distinct} different {kind} in {rows} rows"


def _refuse_unfit_numbers(name: str, counts: Counter[str]) -> None:
    for text in counts:
        number = number_of(text)
        if number is None or not math.isfinite(number[0]):
            raise DataError(
                where=f"target '{name}'",
                expected="a finite number in every row, for a regression",
                got=Value(text),
                remedy="Correct or remove these rows, or set another task.",
                code="DT266",
            )


def _unfit(name: str, expected: str, got: str, code: str) -> DataError:
    return DataError(
        where=f"target '{name}'",
        expected=expected,
        got=got,
        remedy="Choose another target, task or set of rows.",
        code=code,
    )
