"""Check a table before training on it: columns, findings, decisions, all in one report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from drivetrain.core.contract import Column, Kind, Task
from drivetrain.core.errors import GateError
from drivetrain.core.findings import Decision, Finding
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.data.read import read_table


class CheckSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``check``."""

    target: Annotated[
        str | None,
        msgspec.Meta(description="Column to predict; without one only inputs are checked."),
    ] = None
    task: Annotated[
        Task | None, msgspec.Meta(description="Task, where the target's values mislead.")
    ] = None
    keep: Annotated[
        tuple[str, ...], msgspec.Meta(description="Columns to stay inputs whatever is found.")
    ] = ()
    drop: Annotated[tuple[str, ...], msgspec.Meta(description="Columns that are no inputs.")] = ()
    missing_values: Annotated[
        tuple[str, ...], msgspec.Meta(description="Texts that mean missing, beside the usual ones.")
    ] = ()
    strict: Annotated[
        bool, msgspec.Meta(description="Refuse, with exit status 1, if a finding is an error.")
    ] = False
    seed: Annotated[int, msgspec.Meta(description="Seed of the holdout looked at.", ge=0)] = 0


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``check`` found: plain values, ready for JSON.

    ``columns`` are the inputs with kind and evidence; ``left_out`` are those of them that training
    would leave out.
    """

    source: str
    rows: int
    target: str | None
    task: Task | None
    columns: tuple[Column, ...]
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    left_out: tuple[str, ...]
    elapsed_s: float

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that must be dealt with."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def check(
    data: Any,
    target: str | None = None,
    *,
    task: Task | None = None,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    kinds: dict[str, Kind] | None = None,
    missing_values: Sequence[str] = (),
    strict: bool = False,
    seed: int = 0,
    progress: Listener = silent,
) -> CheckReport:
    """Look through a table and report everything that is noticed, at once.

    Parameters
    ----------
    data
        Path, or a Polars, pandas or pyarrow table.
    target
        Column to predict; without one only the inputs are checked.
    keep, drop
        Columns that stay inputs whatever is found, and columns that are no inputs.
    strict
        Raise if any finding is an error.

    Raises
    ------
    DataError
        If the table cannot be read, or the target is of no use.
    GateError
        If ``strict`` and there is an error.
    """
    reporter = Reporter(progress)
    table = read_table(data)
    # These import Polars at once; read_table has seen that it is there.
    from drivetrain.data.check import left_out, run_checks
    from drivetrain.data.infer import infer_contract
    from drivetrain.data.split import holdout_rows
    from drivetrain.data.target import read_target, refuse_unknown_columns
    from drivetrain.runtime.admit import admit

    reporter.say("read", f"{table.rows} rows, {table.frame.width} columns from {table.source}")
    refuse_unknown_columns(table, tuple(keep), "keep")
    contract, decisions = infer_contract(
        table, target, task=task, kinds=kinds, missing_values=missing_values, drop=drop
    )
    admitted = admit(contract, table.frame)
    column = None if contract.target is None else read_target(table, contract.target)
    held = None
    if column is not None and contract.target is not None:
        present = column.present_rows()
        if len(present) > 1:
            _, chosen = holdout_rows(column.values[present], contract.target.task, seed=seed)
            held = present[chosen]
    reporter.say("check", f"{len(contract.columns)} inputs")
    findings = run_checks(table, contract, admitted.columns, column, holdout=held, keep=keep)
    report = CheckReport(
        source=table.source,
        rows=table.rows,
        target=target,
        task=None if contract.target is None else contract.target.task,
        columns=contract.columns,
        findings=findings,
        decisions=decisions,
        left_out=left_out(findings),
        elapsed_s=round(reporter.elapsed_s, 3),
    )
    reporter.say("check", f"{len(findings)} findings, {len(report.errors)} of them errors")
    if strict and report.errors:
        raise _refusal(report)
    return report


def _refusal(report: CheckReport) -> GateError:
    first = report.errors[0]
    return GateError(
        where=f"{report.source}, {first.where}",
        expected="no finding that is an error",
        got=f"{len(report.errors)}, the first: {first.what.rstrip('.')}",
        remedy=first.remedy,
        code="DT1D0",
    )
