"""Give a bundle a version in the ledger."""

from __future__ import annotations

from msgspec import structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.register import RegisterSettings, register
from drivetrain.registry.entries import Version


def run(arguments: RegisterSettings, progress: Listener) -> Version:
    """Call :func:`drivetrain.lifecycle.register.register`."""
    return register(**structs.asdict(arguments))


def render(version: Version) -> str:
    """Say which version it is, and what to do with it."""
    score = f"{version.metric} {figure(version.score)}"
    return (
        f"{version.name} version {version.version}: {version.task}, {score}\n"
        f"content {version.content_hash}\n"
        f"Make it the champion: drivetrain promote {version.name} {version.version}"
    )


command = Command(
    settings=RegisterSettings,
    run=run,
    render=render,
    example="drivetrain register bundle --name income",
    positional=("bundle",),
)
