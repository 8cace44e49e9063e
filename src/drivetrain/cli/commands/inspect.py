"""Verify a bundle and tell what it is."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from drivetrain.cli.command import Command
from drivetrain.cli.findings import findings_text
from drivetrain.cli.text import figure, pairs, size, strong, table, wrapped
from drivetrain.core.findings import Decision
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.inspect import InspectResult, InspectSettings, inspect


class InspectArguments(InspectSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain inspect``."""

    bundle: Annotated[str, Meta(description="Folder of the bundle.")]


def run(arguments: InspectArguments, progress: Listener) -> InspectResult:
    """Call :func:`drivetrain.lifecycle.inspect.inspect`."""
    return inspect(arguments.bundle)


def render(result: InspectResult) -> str:
    """Show what the bundle is, its inputs, its blend, its proof, and every decision."""
    parts = [strong(f"{result.name}: verified, {size(result.size_bytes)}"), summary(result)]
    columns = [[row.name, row.kind, row.expects, row.missing] for row in result.columns]
    header = ["input", "kind", "seen in training", "missing"]
    parts.append(table(columns, header=header, right="lllr"))
    members = [
        [row.family, figure(row.weight, 3), str(row.folds or ""), figure(row.score)]
        for row in result.recipes
    ]
    header = ["member", "weight", "folds", f"{result.metric}, out of fold"]
    parts.append(table(members, header=header, right="lrrr"))
    if result.decisions:
        parts.append(decisions_text(result.decisions))
    if result.findings:
        parts.append(findings_text(result.findings))
    return "\n\n".join(part for part in parts if part)


def summary(result: InspectResult) -> str:
    """Show the facts that fit on a line each."""
    proof, lineage = result.proof, result.lineage
    target = f" of '{result.target}'" if result.target else ""
    score = f"{result.metric} {figure(result.score)}"
    return pairs(
        [
            ("task", f"{result.task}{target}"),
            ("classes", ", ".join(result.classes)),
            ("score", f"{score}  ({figure(result.score_low)} to {figure(result.score_high)})"),
            (
                "proof",
                f"{figure(proof.max_abs_diff, 2)} at most on {proof.rows:,} held-out and "
                f"{proof.adversarial_rows:,} adversarial rows",
            ),
            ("data", f"{lineage.source}, {lineage.rows:,} rows, seed {lineage.seed}"),
            ("content", result.content_hash),
            ("made by", f"drivetrain {result.drivetrain}, Python {lineage.python}"),
            ("not inputs", ", ".join(result.ignored)),
        ]
    )


def decisions_text(decisions: tuple[Decision, ...]) -> str:
    """Show each automatic choice with its reason."""
    lines = [strong("Decisions")]
    for decision in decisions:
        lines.append(f"\n{decision.subject}: {decision.choice}")
        lines.append(wrapped(decision.reason))
    return "\n".join(lines)


command = Command(
    settings=InspectArguments,
    run=run,
    render=render,
    example="drivetrain inspect bundle",
    positional=("bundle",),
)
