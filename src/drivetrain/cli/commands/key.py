"""Make a bearer key for clients of a server, and add its hash to the server's key file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from drivetrain.cli.command import Command
from drivetrain.core.progress import Listener
from drivetrain.serve.auth import NewKey, Scope, add_key


class KeySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain key``."""

    file: Annotated[str, Meta(description="Key file, as serve --keys reads it; made if need be.")]
    scopes: Annotated[
        tuple[Scope, ...],
        Meta(description="What the key may do: predict, read (metrics, descriptions), manage."),
    ] = ("predict",)
    name: Annotated[str, Meta(description="Whose key it is, for people who read the file.")] = ""


def run(arguments: KeySettings, progress: Listener) -> NewKey:
    """Call :func:`drivetrain.serve.auth.add_key`."""
    return add_key(Path(arguments.file), arguments.scopes, arguments.name)


def render(made: NewKey) -> str:
    """Show the key alone, so that a script can take it."""
    return made.key


command = Command(
    settings=KeySettings,
    run=run,
    render=render,
    example="drivetrain key keys --scopes predict --scopes read --name shop",
    positional=("file",),
)
