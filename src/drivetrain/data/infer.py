"""Infer the Contract: what a valid row is, from the rows there are.

``kinds`` proposes each column's kind from a sample, ``admit`` then reads every cell under it. So
what is inferred and what is served agree: each training cell is admissible, or the column's
policy says in the open that some are coerced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl

from drivetrain.core.arrays import MISSING_TIME, Array, Columns
from drivetrain.core.contract import (
    DEFAULT_MISSING_VALUES,
    Breach,
    Column,
    Contract,
    Kind,
    Policy,
    Task,
)
from drivetrain.core.errors import DataError
from drivetrain.core.findings import Decision
from drivetrain.data.kinds import JUNK_LIMIT, Proposal, propose_kind
from drivetrain.data.read import Table
from drivetrain.data.target import infer_target, labelled_rows, refuse_unknown_columns
from drivetrain.runtime.admit import admit
from drivetrain.runtime.cells import canonical

__all__ = ["Inferred", "infer", "infer_contract", "labelled_rows", "without_columns"]

SAMPLE_ROWS = 20_000
MOST_CATEGORIES = 10_000  # more are not listed in the Contract, and no category is unseen then
_LENIENT = Policy(junk="coerce")


@dataclass(frozen=True)
class Inferred:
    """A Contract, why it is so, and the typed columns of the rows that it was inferred from."""

    contract: Contract
    decisions: tuple[Decision, ...]
    columns: Columns


def infer_contract(
    table: Table,
    target: str | None,
    *,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    missing_values: Sequence[str] | None = None,
    drop: Sequence[str] = (),
) -> tuple[Contract, tuple[Decision, ...]]:
    """Infer what a valid row is, as :func:`infer` does; return the Contract and the decisions."""
    found = infer(table, target, task=task, kinds=kinds, missing_values=missing_values, drop=drop)
    return found.contract, found.decisions


def infer(
    table: Table,
    target: str | None,
    *,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    missing_values: Sequence[str] | None = None,
    drop: Sequence[str] = (),
) -> Inferred:
    """Infer what a valid row is, reading every cell once.

    Parameters
    ----------
    table
        Raw cells.
    target
        Name of the target column; None for a table without one.
    task
        The task, where the target's values do not decide it right.
    kinds
        Kinds of columns that the user knows better.
    missing_values
        Texts that mean missing, beside the usual ones.
    drop
        Columns that are no inputs.

    Returns
    -------
    Inferred
        The Contract; for each column and the task the choice with its evidence; and the typed
        columns, which are what ``admit`` makes of the table under this Contract.

    Raises
    ------
    DataError
        If a named column is not there, the target is of no use (see
        :func:`drivetrain.data.target.infer_target`), or no input column is left.
    """
    chosen = dict(kinds or {})
    refuse_unknown_columns(table, tuple(drop), "drop")
    refuse_unknown_columns(table, tuple(chosen), "kinds")
    missing = tuple(dict.fromkeys((*DEFAULT_MISSING_VALUES, *(missing_values or ()))))
    about = None
    decisions: list[Decision] = []
    if target is not None:
        about, decision = infer_target(table, target, task=task, missing_values=missing)
        decisions.append(decision)
    ignored = [name for name in table.frame.columns if name == target or name in drop]
    inputs = [name for name in table.frame.columns if name not in ignored]
    if not inputs:
        raise DataError(
            where=table.source,
            expected="at least one input column",
            got="none beside the target and what is dropped",
            remedy="Give more columns, or drop fewer.",
            code="DT267",
        )
    columns, typed = _inferred_columns(table.frame.select(inputs), chosen, missing)
    decisions += [
        Decision(subject=f"column '{column.name}'", choice=column.kind, reason=column.evidence)
        for column in columns
    ]
    contract = Contract(columns=columns, target=about, ignored=tuple(ignored))
    return Inferred(contract, tuple(decisions), typed)


def without_columns(contract: Contract, names: Sequence[str]) -> Contract:
    """Return the Contract with some inputs moved to the ignored columns."""
    kept = tuple(column for column in contract.columns if column.name not in names)
    gone = tuple(column.name for column in contract.columns if column.name in names)
    if not kept:
        raise DataError(
            where="columns",
            expected="at least one input column",
            got=f"none: all of {', '.join(gone)} are left out",
            remedy="Keep one of them (--keep), or give more columns.",
            code="DT267",
        )
    return msgspec.structs.replace(contract, columns=kept, ignored=(*contract.ignored, *gone))


def _inferred_columns(
    frame: pl.DataFrame, chosen: Mapping[str, Kind], missing: tuple[str, ...]
) -> tuple[tuple[Column, ...], Columns]:
    sample = frame if frame.height <= SAMPLE_ROWS else frame.sample(SAMPLE_ROWS, seed=0)
    tokens = frozenset({"", *map(canonical, missing)})
    typed = any(dtype != pl.String for dtype in frame.dtypes)
    drafts = []
    for name in frame.columns:
        proposal = propose_kind(sample[name], tokens, typed=typed)
        if name in chosen and chosen[name] != proposal.kind:
            proposal = _as_asked(chosen[name], proposal, sample[name])
        drafts.append(_draft(name, proposal, missing))
    admitted = admit(Contract(columns=tuple(drafts)), frame)
    columns = []
    typed_as: dict[str, Array] = {}
    for draft in drafts:
        values, breaches = admitted.columns[draft.name], admitted.breaches
        why_not = _why_not(draft, len(values), breaches, values)
        if why_not is not None and draft.name not in chosen:
            draft = _draft(draft.name, Proposal("category", why_not), missing)
            single = admit(Contract(columns=(draft,)), frame.select(draft.name))
            values, breaches = single.columns[draft.name], single.breaches
        columns.append(_described(draft, values, breaches))
        typed_as[draft.name] = values
    return tuple(columns), typed_as


def _as_asked(kind: Kind, proposal: Proposal, sample: pl.Series) -> Proposal:
    reason = f"as asked; the cells suggest {proposal.kind}: {proposal.evidence}"
    width = 0
    if kind == "vector":
        widths = sample.drop_nulls().list.len() if sample.dtype.is_nested() else None
        width = int(widths.mode()[0]) if widths is not None and len(widths) else 0
    # Numbers are times only when asked for, and then seconds since 1970.
    formats = ("epoch_s",) if kind == "datetime" and sample.dtype.is_numeric() else ()
    return Proposal(kind, reason, width=width, formats=formats)


def _draft(name: str, proposal: Proposal, missing: tuple[str, ...]) -> Column:
    return Column(
        name=name,
        kind=proposal.kind,
        policy=_LENIENT,
        missing_values=tuple(dict.fromkeys((*missing, *proposal.missing_values))),
        formats=proposal.formats,
        width=proposal.width,
        evidence=proposal.evidence,
    )


def _why_not(
    draft: Column, rows: int, breaches: Mapping[tuple[str, Breach], int], values: Array
) -> str | None:
    """Say why a kind does not hold for the whole column, sample aside; None where it does."""
    if draft.kind in ("category", "text"):
        return None
    junk = breaches.get((draft.name, "junk"), 0)
    present = rows - breaches.get((draft.name, "missing"), 0)
    if draft.kind == "number" and breaches.get((draft.name, "range"), 0):
        return "whole numbers beyond 2^53 would lose digits as numbers"
    if junk > JUNK_LIMIT * max(present, 1):
        return f"{junk} of {present} cells cannot be read as {draft.kind}"
    return None


def _described(draft: Column, values: Array, breaches: Mapping[tuple[str, Breach], int]) -> Column:
    """Fill in what was seen: range, categories, shares, and the policy for junk."""
    junk = breaches.get((draft.name, "junk"), 0)
    seen: dict[str, Any] = {"policy": Policy(), "missing_share": 0.0}
    if junk:
        # Coerced openly: training itself has such cells, serving will have them too.
        seen["policy"] = _LENIENT
        seen["evidence"] = f"{draft.evidence}; {junk} unreadable cells are taken as missing"
    if draft.kind in ("category", "text"):
        seen |= _seen_texts(values, listed=draft.kind == "category")
    elif draft.kind == "datetime":
        seen |= _seen_times(values)
    elif draft.kind == "vector":
        seen["missing_share"] = float(np.isnan(values).all(axis=1).mean())
    else:
        seen |= _seen_numbers(values)
    return msgspec.structs.replace(draft, **seen)


def _seen_texts(values: Array, *, listed: bool) -> dict[str, Any]:
    counts = Counter(values.tolist())
    missing_share = counts.pop("", 0) / max(len(values), 1)
    seen: dict[str, Any] = {"missing_share": missing_share, "distinct": len(counts)}
    if listed and len(counts) <= MOST_CATEGORIES:
        seen["categories"] = tuple(sorted(counts, key=lambda text: (-counts[text], text)))
    return seen


def _seen_times(values: Array) -> dict[str, Any]:
    known = values[values != MISSING_TIME]
    seen: dict[str, Any] = {
        "missing_share": 1 - len(known) / len(values),
        "distinct": len(np.unique(known)),
    }
    if len(known):
        seen |= {"low": float(known.min()), "high": float(known.max())}
    return seen


def _seen_numbers(values: Array) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    finite = known[np.isfinite(known)]
    seen: dict[str, Any] = {
        "missing_share": 1 - len(known) / len(values),
        "distinct": len(np.unique(known)),
        "integral": bool(len(finite)) and bool(np.all(finite == np.round(finite))),
    }
    if len(finite):
        seen |= {"low": float(finite.min()), "high": float(finite.max())}
    return seen
