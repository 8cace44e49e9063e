"""Serve a bundle over HTTP: Open Inference Protocol v2, and MLflow's /invocations."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.serve import serve
from drivetrain.serve.platforms import place_of
from drivetrain.serve.settings import HOST, PORT, ServeSettings


class ServeArguments(ServeSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain serve``."""

    bundle: Annotated[
        str | None,
        Meta(
            description="Folder of a bundle, or what to follow: a state's file, ledger:/NAME@ALIAS;"
            " the one that a cloud's container has been given if not named."
        ),
    ] = None
    # None tells what was not named, so that a default that was is not mistaken for it.
    host: Annotated[
        str | None,
        Meta(description=f"Address to listen on; {HOST}, or a container's 0.0.0.0."),
    ] = None  # type: ignore[assignment]
    port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(description=f"Port; {PORT}, or a container's; 0 takes a free one and prints it."),
    ] = None  # type: ignore[assignment]


def run(arguments: ServeArguments, progress: Listener) -> None:
    """Call :func:`drivetrain.lifecycle.serve.serve`, which says on stderr where it listens."""
    settings = structs.asdict(arguments)
    bundle = settings.pop("bundle")
    host, port = HOST, PORT
    if bundle is None:
        place = place_of(os.environ)
        bundle, host, port = place.bundle, place.host, place.port
    for name, usual in (("host", host), ("port", port)):
        if settings[name] is None:
            settings[name] = usual
    serve(bundle, **settings)


def render(answer: None) -> str:
    """Say nothing: the server ends without an answer."""
    return ""


command = Command(
    settings=ServeArguments,
    run=run,
    render=render,
    example="drivetrain serve bundle --port 8080",
    positional=("bundle",),
)
