"""The first stage of ``train``: from a file or frame to typed, checked and split rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector, IndexVector
from drivetrain.core.contract import Contract, Target
from drivetrain.core.errors import DataError, GateError, InternalError, Value
from drivetrain.core.findings import Decision, Finding
from drivetrain.core.folds import Folds
from drivetrain.core.progress import Reporter
from drivetrain.data.check import run_checks
from drivetrain.data.infer import infer, infer_contract, labelled_rows, without_columns
from drivetrain.data.read import Table, fingerprint, read_table
from drivetrain.data.split import holdout_rows, make_folds
from drivetrain.data.target import TargetColumn, refuse_unknown_columns
from drivetrain.lifecycle.training.asked import check_asked, check_rows
from drivetrain.lifecycle.training.like import told_by
from drivetrain.lifecycle.training.policies import discreet, with_policies
from drivetrain.lifecycle.training.sampling import columns_beyond, sampled_to
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.runtime.admit import admit, admit_target
from drivetrain.search.portfolio import FoldPlan, plan_folds

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Part:
    """Some of the rows: typed columns, target, weights or None."""

    columns: Columns
    y: FloatVector
    weight: FloatVector | None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.y)


@dataclass(frozen=True)
class Roles:
    """Columns that are no inputs but say something of each row."""

    weight: FloatVector | None
    group: Array | None
    time: Array | None


@dataclass(frozen=True)
class Rows:
    """What a run learns from and is judged by.

    ``folds`` number the rows of ``training``, ``every_fold`` those of ``every``, which are
    training and holdout together, at the places ``of_training`` and ``of_holdout``; ``frame`` holds
    the raw cells of ``holdout``.
    """

    contract: Contract
    source: str
    training: Part
    holdout: Part
    every: Part
    of_training: IndexVector
    of_holdout: IndexVector
    frame: pl.DataFrame
    roles: Roles
    fold_plan: FoldPlan
    seed: int
    fingerprint: str
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]

    @property
    def target(self) -> Target:
        """The Contract's target."""
        return target_of(self.contract)

    @cached_property
    def folds(self) -> Folds:
        """Folds of the training rows."""
        return self._folds(self.of_training)

    @cached_property
    def every_fold(self) -> Folds:
        """Folds of all rows."""
        return self._folds(np.arange(len(self.every.y)))

    def _folds(self, part: IndexVector) -> Folds:
        return make_folds(
            self.every.y[part], self.target.task, k=self.fold_plan.cut,
            group=_some(self.roles.group, part), time=_some(self.roles.time, part), seed=self.seed,
        )  # fmt: skip


def target_of(contract: Contract) -> Target:
    """Return the target of a Contract that was inferred with one."""
    if contract.target is None:
        raise InternalError(
            where="Contract", expected="a target", got="none", remedy="Report it.", code="DT7D0"
        )
    return contract.target


def make_rows(data: Any, settings: TrainSettings, reporter: Reporter) -> Rows:
    """Read, infer the Contract, admit, check and split.

    Raises
    ------
    DataError
        If the data or a named column cannot be used.
    GateError
        If ``strict`` is set and a check finds an error.
    """
    reporter.say("read", "reading the table")
    table, sampled = sampled_to(read_table(data), settings)
    named = (settings.weight, settings.group, settings.time)
    aside = tuple(name for name in named[:2] if name is not None)
    refuse_unknown_columns(table, tuple(name for name in named if name is not None), "train")
    refuse_unknown_columns(table, settings.keep, "keep")
    refuse_unknown_columns(table, settings.private, "private")
    told = told_by(settings, table.frame.columns)
    beyond, narrowed = columns_beyond(table, settings)
    inferred = infer(
        table, settings.target, task=settings.task, kinds=told.kinds,
        missing_values=settings.missing_values,
        drop=tuple(dict.fromkeys((*told.drop, *aside, *beyond))),
    )  # fmt: skip
    decisions = inferred.decisions
    contract = with_policies(inferred.contract, settings.policy, settings.private)
    target = target_of(contract)
    check_asked(contract, target, settings)
    # Under policies of the user's own the cells are read once more: one may refuse them.
    columns = admit(contract, table.frame).columns if settings.policy else inferred.columns
    labelled = np.flatnonzero(labelled_rows(table, target))
    y = admit_target(target, table.frame[target.name][labelled])
    roles = _roles(table, labelled, settings)
    training, holdout = holdout_rows(
        y, target.task, share=settings.holdout, group=roles.group, time=roles.time,
        seed=settings.seed,
    )  # fmt: skip
    check_rows(len(training), settings.coverage)
    reporter.say("check", f"checking {table.rows:,} rows, {len(contract.columns)} columns")
    findings = _check(table, contract, columns, y, labelled, labelled[holdout], settings.keep)
    findings, decisions = discreet(contract, findings, decisions)
    _refuse_errors(findings, settings.strict)
    contract, left_out = _leave_out(contract, findings)
    columns = {name: columns[name][labelled] for name in contract.names}
    return Rows(
        contract=contract,
        source=table.source,
        training=_part(columns, y, roles.weight, training),
        holdout=_part(columns, y, roles.weight, holdout),
        every=Part(columns, y, roles.weight),
        of_training=training,
        of_holdout=holdout,
        frame=table.frame[labelled[holdout]],
        roles=roles,
        fold_plan=plan_folds(len(training), settings.folds, limit_s=settings.time_limit),
        seed=settings.seed,
        fingerprint=fingerprint(columns, y),
        findings=findings,
        decisions=(
            *sampled, *narrowed, *decisions, *_asked_out(settings),
            *_unlabelled(table, labelled, target), *left_out,
            _holdout_decision(settings, training, holdout),
        ),
    )  # fmt: skip


def _check(
    table: Table,
    contract: Contract,
    columns: Columns,
    y: FloatVector,
    labelled: IndexVector,
    holdout: IndexVector,
    keep: tuple[str, ...],
) -> tuple[Finding, ...]:
    """Run the checks over all rows, those without a target among them."""
    target = target_of(contract)
    values = np.full(table.rows, np.nan)
    values[labelled] = y
    column = TargetColumn(target.name, values, target.task, target.classes)
    return run_checks(table, contract, columns, column, holdout=holdout, keep=keep)


def _asked_out(settings: TrainSettings) -> list[Decision]:
    asked = dict.fromkeys(settings.drop, "It was asked for (drop).")
    if settings.weight is not None:
        asked[settings.weight] = "It holds the weight of each row, which no new row has."
    if settings.group is not None:
        asked[settings.group] = "It holds the group of each row, and new rows are of new groups."
    return [
        Decision(subject=f"column '{name}'", choice="left out", reason=reason)
        for name, reason in asked.items()
    ]


def _unlabelled(table: Table, labelled: IndexVector, target: Target) -> list[Decision]:
    missing = table.rows - len(labelled)
    if not missing:
        return []
    reason = (
        f"They have no '{target.name}': nothing can be learned from them, and no prediction of "
        "them can be judged."
    )
    return [Decision(subject="rows", choice=f"{missing:,} rows left out", reason=reason)]


def _roles(table: Table, rows: IndexVector, settings: TrainSettings) -> Roles:
    weight, group, time = (
        None if name is None else _values(table, name)
        for name in (settings.weight, settings.group, settings.time)
    )
    if weight is not None:
        weight = _weights(table, str(settings.weight), weight, rows)
    return Roles(weight=weight, group=_some(group, rows), time=_some(time, rows))


def _values(table: Table, name: str) -> Array:
    """Return a column of all rows as the Contract would type it."""
    frame = table.frame.select(name)
    contract, _ = infer_contract(Table(frame, table.source), None)
    return admit(contract, frame).columns[name]


def _weights(table: Table, name: str, values: Array, rows: IndexVector) -> FloatVector:
    """Return the weights of the labelled rows, their mean 1."""
    usable = np.zeros(len(rows), dtype=bool)
    if values.dtype == np.float64:
        usable = np.isfinite(values[rows]) & (values[rows] >= 0)
    if not usable.all() or not values[rows].any():
        row = int(rows[np.argmin(usable)])
        raise DataError(
            where=f"weight column '{name}', row {row}",
            expected="finite numbers >= 0, not all of them 0",
            got=Value(table.frame[name][row]),
            remedy="Correct the weights, or train without --weight.",
            code="DT2D7",
        )
    weights: FloatVector = values[rows] / values[rows].mean()
    return weights


def _refuse_errors(findings: Sequence[Finding], strict: bool) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if strict and errors:
        first = errors[0]
        more = f" ({len(errors) - 1} more errors)" if len(errors) > 1 else ""
        raise GateError(
            where=f"check '{first.check}', {first.where}",
            expected="no errors in the data (strict)",
            got=f"{first.what}{more}",
            remedy=first.remedy,
            code="DT120",
        )


def _leave_out(
    contract: Contract, findings: Sequence[Finding]
) -> tuple[Contract, tuple[Decision, ...]]:
    """Move the columns that the checks leave out to the ignored ones, each with its reason."""
    reasons: dict[str, Finding] = {}
    for finding in findings:
        if finding.leaves_out:
            for name in finding.columns:
                if name in contract.names:
                    reasons.setdefault(name, finding)
    if not reasons:
        return contract, ()
    decisions = tuple(
        Decision(
            subject=f"column '{name}'",
            choice="left out",
            reason=f"{finding.what} Use --keep {name} to keep it.",
        )
        for name, finding in reasons.items()
    )
    return without_columns(contract, tuple(reasons)), decisions


def _part(columns: Columns, y: FloatVector, weight: FloatVector | None, rows: IndexVector) -> Part:
    return Part(
        columns={name: values[rows] for name, values in columns.items()},
        y=y[rows],
        weight=_some(weight, rows),
    )


def _some(values: Array | None, rows: IndexVector) -> Array | None:
    return None if values is None else values[rows]


def _holdout_decision(
    settings: TrainSettings, training: IndexVector, holdout: IndexVector
) -> Decision:
    how = "at random"
    if settings.group is not None:
        how = f"by '{settings.group}', so that no value of it is on both sides"
    if settings.time is not None:
        how = f"by '{settings.time}', the latest of them, as it will be in production"
    share = len(holdout) / (len(holdout) + len(training))
    return Decision(
        subject="holdout",
        choice=f"{len(holdout):,} rows",
        reason=f"{share:.1%} of the rows are set aside {how}: no choice sees them, so their "
        "score is an honest one.",
    )
