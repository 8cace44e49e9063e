"""Make a version the champion."""

from __future__ import annotations

from msgspec import structs

from drivetrain.cli.command import Command
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.promote import Moved, PromoteSettings, promote


def run(arguments: PromoteSettings, progress: Listener) -> Moved:
    """Call :func:`drivetrain.lifecycle.promote.promote`."""
    return promote(**structs.asdict(arguments))


def render(moved: Moved) -> str:
    """Say where the alias points now, and whether a verdict stood behind it."""
    before = f"version {moved.previous}" if moved.previous else "none"
    lines = [f"{moved.name}@{moved.alias}: version {moved.version} (before: {before})"]
    if moved.is_override:
        lines.append("No passing verdict stands behind this: recorded as an override.")
    return "\n".join(lines)


command = Command(
    settings=PromoteSettings,
    run=run,
    render=render,
    example="drivetrain promote income 2",
    positional=("name", "version"),
)
