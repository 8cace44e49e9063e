"""Judge a challenger against a champion on the same labelled rows, gate by gate."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.compare import CompareSettings, Comparison, compare


class CompareArguments(CompareSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain compare``."""

    champion: Annotated[str, Meta(description="Bundle that serves, or ledger:/NAME@champion.")]
    challenger: Annotated[str, Meta(description="Bundle to judge, or ledger:/NAME@VERSION.")]
    data: Annotated[str, Meta(description="Recent labelled rows that neither has learned from.")]
    name: Annotated[
        str | None,
        Meta(description="write the verdict under this name; the champion's in the ledger"),
    ] = None
    ledger: Annotated[str | None, Meta(description="URL of the ledger")] = None


def run(arguments: CompareArguments, progress: Listener) -> Comparison:
    """Call :func:`drivetrain.lifecycle.compare.compare`."""
    return compare(**structs.asdict(arguments), progress=progress)


def render(found: Comparison) -> str:
    """Show the verdict, then each gate."""
    head = strong("PASSED" if found.passed else "REFUSED: the champion stays")
    rows = [["pass" if gate.passed else "FAIL", gate.gate, gate.told] for gate in found.gates]
    parts = [f"{head}, on {found.rows:,} rows", table(rows, header=["", "gate", "evidence"])]
    if found.verdict is not None:
        parts.append(f"Verdict {found.verdict} in the ledger, under '{found.name}'.")
    return "\n\n".join(parts)


command = Command(
    settings=CompareArguments,
    run=run,
    render=render,
    example="drivetrain compare ledger:/income@champion new_bundle last_week.csv",
    positional=("champion", "challenger", "data"),
    status=lambda found: 0 if found.passed else 1,
)
