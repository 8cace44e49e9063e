"""Take the champion back to the version before it."""

from __future__ import annotations

from msgspec import structs

from drivetrain.cli.command import Command
from drivetrain.cli.commands.promote import render
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.promote import Moved
from drivetrain.lifecycle.rollback import RollbackSettings, rollback


def run(arguments: RollbackSettings, progress: Listener) -> Moved:
    """Call :func:`drivetrain.lifecycle.rollback.rollback`."""
    return rollback(**structs.asdict(arguments))


command = Command(
    settings=RollbackSettings,
    run=run,
    render=render,
    example="drivetrain rollback income",
    positional=("name",),
)
