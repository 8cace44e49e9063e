"""Serve a bundle over HTTP: Open Inference Protocol v2, and MLflow's /invocations."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.serve import serve
from drivetrain.serve.platforms import place_of
from drivetrain.serve.settings import ServeSettings

_DEFAULTS = structs.asdict(ServeSettings())


class ServeArguments(ServeSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain serve``."""

    bundle: Annotated[
        str | None,
        Meta(
            description="Folder of a bundle, or what to follow: a state's file, ledger:/NAME@ALIAS;"
            " the one that a cloud's container has been given if not named."
        ),
    ] = None


def run(arguments: ServeArguments, progress: Listener) -> None:
    """Call :func:`drivetrain.lifecycle.serve.serve`, which says on stderr where it listens."""
    settings = structs.asdict(arguments)
    bundle = settings.pop("bundle")
    if bundle is None:
        place = place_of(os.environ)
        bundle = place.bundle
        for name, given in (("host", place.host), ("port", place.port)):
            if settings[name] == _DEFAULTS[name]:  # what the command line says wins
                settings[name] = given
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
