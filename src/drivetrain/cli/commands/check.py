"""Look through a table before training on it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.findings import findings_text
from drivetrain.cli.text import strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.check import CheckReport, CheckSettings, check


class CheckArguments(CheckSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain check``."""

    data: Annotated[str, Meta(description="Table to look through.")]


def run(arguments: CheckArguments, progress: Listener) -> CheckReport:
    """Call :func:`drivetrain.lifecycle.check.check`."""
    settings = structs.asdict(arguments)
    return check(settings.pop("data"), settings.pop("target"), progress=progress, **settings)


def render(report: CheckReport) -> str:
    """Show columns, then findings, the worst first."""
    task = f", {report.task} target '{report.target}'" if report.target else ""
    rows = [
        [column.name, column.kind, f"{100 * column.missing_share:.1f} %", str(column.distinct)]
        for column in report.columns
    ]
    columns = table(rows, header=["column", "kind", "missing", "distinct"], right="llrr")
    parts = [strong(f"{report.source}: {report.rows:,} rows{task}"), columns]
    parts.append(findings_text(report.findings))
    if report.left_out:
        parts.append(f"Training leaves out: {', '.join(report.left_out)}. --keep keeps a column.")
    return "\n\n".join(parts)


command = Command(
    settings=CheckArguments,
    run=run,
    render=render,
    example="drivetrain check examples/adult_income.csv.gz --target income",
    positional=("data",),
)
