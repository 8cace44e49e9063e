"""Make the bundle of a run again from its journal, the same to the bit."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from drivetrain.cli.command import Command
from drivetrain.cli.text import pairs, strong
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.replay import ReplayResult, ReplaySettings, replay


class ReplayArguments(ReplaySettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain replay``."""

    run: Annotated[str, Meta(description="Folder of the run, BUNDLE.run, or the bundle beside it.")]


def run(arguments: ReplayArguments, progress: Listener) -> ReplayResult:
    """Call :func:`drivetrain.lifecycle.replay.replay`."""
    return replay(arguments.run, data=arguments.data, out=arguments.out, progress=progress)


def render(result: ReplayResult) -> str:
    """Tell whether the two bundles are the same, and if not, what differs."""
    facts = [
        ("bundle", result.bundle),
        ("content", result.content_hash),
        ("time", f"{result.elapsed_s:.1f} s, {result.trials} trials"),
    ]
    if result.same:
        return "\n\n".join([strong("Replayed: the same bundle, to the bit."), pairs(facts)])
    facts.insert(2, ("expected", result.expected_hash))
    facts.append(("differs", ", ".join(result.differs) or "the manifest alone"))
    if result.machine != result.expected_machine:
        facts.append(("machine", f"{result.machine}; the run was on {result.expected_machine}"))
    return "\n\n".join([strong("Replayed: the bundle differs."), pairs(facts)])


command = Command(
    settings=ReplayArguments,
    run=run,
    render=render,
    example="drivetrain replay bundle.run --out replayed",
    positional=("run",),
    status=lambda result: 0 if result.same else 1,
)
