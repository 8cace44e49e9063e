"""Tell which version answered, at a time or for a prediction."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import structs

from drivetrain.cli.command import Command
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.who_served import WhoServed, WhoServedSettings, who_served


def run(arguments: WhoServedSettings, progress: Listener) -> WhoServed:
    """Call :func:`drivetrain.lifecycle.who_served.who_served`."""
    return who_served(**structs.asdict(arguments))


def render(answer: WhoServed) -> str:
    """Say which version it was."""
    version = answer.version
    moment = datetime.fromtimestamp(answer.at_us / 1e6, UTC)
    if answer.logged is not None:
        unseen = ", as a shadow that no client saw" if answer.logged.role == "shadow" else ""
        said = f"{version.name} version {version.version} answered{unseen}, by the log, at"
    else:
        said = f"{version.name}@{answer.alias} was version {version.version}, by the ledger, at"
    return f"{said} {moment:%Y-%m-%d %H:%M:%S} UTC, content {version.content_hash}"


command = Command(
    settings=WhoServedSettings,
    run=run,
    render=render,
    example="drivetrain who-served income --at 2026-11-22T14:00:00",
    positional=("name",),
)
