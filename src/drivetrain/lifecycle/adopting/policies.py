"""The second stage of ``adopt``: what the model cannot take is refused at the door.

A column's cell is made missing, infinite or unknown in a few rows that the model answers well.
Where the answer is then no number, or the model fails, the Contract's policy becomes ``reject``. An
input of whole numbers, as an embedding has one, is tried far beyond what the rows hold as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns, Mask
from drivetrain.core.contract import Breach, Column, Contract
from drivetrain.core.errors import DataError
from drivetrain.core.findings import Decision
from drivetrain.evaluate.adoption import Alone, is_answered
from drivetrain.graph.adopted import Feed

PROBED_ROWS = 8
UNKNOWN = "\x1fnever seen"
FAR = (-1e9, 1e9)  # numbers that an int32 holds
WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint8")


def probe_policies(
    contract: Contract, alone: Alone, columns: Columns
) -> tuple[Contract, tuple[Decision, ...]]:
    """Return the Contract that refuses what the model cannot take, and why.

    Parameters
    ----------
    columns
        Typed columns of the labelled rows.

    Raises
    ------
    DataError
        If the model answers no row with finite numbers.
    """
    answered = np.flatnonzero(is_answered(alone.ask(columns)))[:PROBED_ROWS]
    if not len(answered):
        raise DataError(
            where=f"output '{alone.output}' of the model",
            expected="finite numbers in some row",
            got="none",
            remedy="Look whether the columns go into the right inputs (--inputs).",
            code="DT2DA",
        )
    rows = {name: cells[answered] for name, cells in columns.items()}
    types = {name: feed for feed in alone.feeds for name in feed.columns}
    settled, decisions = [], []
    for column in contract.columns:
        refused = {
            breach: reason
            for breach, cell in _cells(column, types[column.name])
            if (reason := _why_not(alone, types[column.name], rows, column, cell))
        }
        settled.append(
            msgspec.structs.replace(
                column,
                policy=msgspec.structs.replace(column.policy, **dict.fromkeys(refused, "reject")),
            )
        )
        decisions += [
            Decision(subject=f"column '{column.name}'", choice=f"{breach} is refused", reason=why)
            for breach, why in refused.items()
        ]
    return msgspec.structs.replace(contract, columns=tuple(settled)), tuple(decisions)


def admissible(contract: Contract, columns: Columns) -> Mask:
    """Tell which rows of typed columns the policies let through, (n,)."""
    kept: Mask = np.ones(len(next(iter(columns.values()))), np.bool_)
    for column in contract.columns:
        cells, policy = columns[column.name], column.policy
        if policy.missing == "reject":
            kept &= ~_rowwise(cells == "" if cells.dtype == object else np.isnan(cells))
        if policy.infinite == "reject" and cells.dtype != object:
            kept &= ~_rowwise(np.isinf(cells))
        if policy.range == "reject" and column.low is not None and column.high is not None:
            kept &= ~((cells < column.low) | (cells > column.high))
        if policy.unseen == "reject":
            kept &= np.isin(cells.astype(str), [*(column.categories or ()), ""])
    return kept


def _rowwise(flags: Array) -> Mask:
    return np.asarray(flags.any(axis=1) if flags.ndim == 2 else flags)


def _cells(column: Column, feed: Feed) -> Iterator[tuple[Breach, Any]]:
    if column.kind == "category":
        yield "missing", ""
        yield "unseen", UNKNOWN
        return
    yield "missing", np.nan
    if column.kind != "boolean":
        yield "infinite", np.inf
    if column.kind == "number" and feed.dtype in WHOLE and column.low is not None:
        yield from (("range", cell) for cell in FAR)


def _why_not(alone: Alone, feed: Feed, rows: Columns, column: Column, cell: Any) -> str | None:
    """Say why the model cannot take a cell; None where it answers with finite numbers."""
    if feed.dtype in WHOLE and not np.isfinite(cell):
        return f"input '{feed.name}' takes {feed.dtype}, which holds whole numbers only"
    changed = rows[column.name].copy()
    changed[:] = cell
    try:
        output = alone.ask({**rows, column.name: changed})
    except DataError as error:
        return f"the model fails on it: {error.got}"
    if is_answered(output).all():
        return None
    return "the model then answers with no number"
