"""Add labels that came late to the predictions they belong to."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.labels import LabelsResult, LabelsSettings, add_labels


class LabelsArguments(LabelsSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain labels``."""

    action: Annotated[Literal["add"], Meta(description="What to do.")]
    file: Annotated[str, Meta(description="Table of prediction ids and labels.")]


def run(arguments: LabelsArguments, progress: Listener) -> LabelsResult:
    """Call :func:`drivetrain.lifecycle.labels.add_labels`."""
    settings = structs.asdict(arguments)
    settings.pop("action")
    return add_labels(settings.pop("file"), progress=progress, **settings)


def render(result: LabelsResult) -> str:
    """Say what was new, and what is not matched."""
    added = result.added
    lines = [
        f"{result.file}: {added.rows:,} labels: {added.new:,} new, {added.changed:,} changed, "
        f"{added.same:,} known already.",
        f"{result.matched:,} belong to predictions in the log, {result.unmatched:,} to none so "
        f"far; {result.waiting:,} of {result.predictions:,} predictions wait for a label.",
    ]
    if result.unlabelled:
        lines.append(f"{result.unlabelled:,} rows have no id or no label.")
    if added.repeated:
        lines.append(f"{added.repeated:,} ids came more than once; the last label counts.")
    return "\n".join(lines)


command = Command(
    settings=LabelsArguments,
    run=run,
    render=render,
    example="drivetrain labels add outcomes.csv --log predictions --bundle bundle",
    positional=("action", "file"),
)
