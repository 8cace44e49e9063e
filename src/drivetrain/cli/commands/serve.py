"""Serve a bundle over HTTP: Open Inference Protocol v2, and MLflow's /invocations."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.serve import serve
from drivetrain.serve.settings import ServeSettings


class ServeArguments(ServeSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain serve``."""

    bundle: Annotated[
        str,
        Meta(
            description="Folder of a bundle, or what to follow: a state's file, ledger:/NAME@ALIAS."
        ),
    ]


def run(arguments: ServeArguments, progress: Listener) -> None:
    """Call :func:`drivetrain.lifecycle.serve.serve`, which says on stderr where it listens."""
    settings = structs.asdict(arguments)
    serve(settings.pop("bundle"), **settings)


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
