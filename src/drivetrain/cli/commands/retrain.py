"""Make a challenger from newer labelled rows, on the champion's Recipes or on a search."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.retrain import RetrainResult, RetrainSettings, retrain


class RetrainArguments(RetrainSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain retrain``."""

    champion: Annotated[str, Meta(description="Registered name, or folder of a bundle.")]
    data: Annotated[str | None, Meta(description="labelled rows in their order of time")] = None
    log: Annotated[str | None, Meta(description="prediction log, whose labels are joined")] = None
    out: Annotated[
        str | None, Meta(description="folder of the challenger; not needed for a name")
    ] = None
    ledger: Annotated[str | None, Meta(description="URL of the ledger")] = None


def run(arguments: RetrainArguments, progress: Listener) -> RetrainResult:
    """Call :func:`drivetrain.lifecycle.retrain.retrain`."""
    return retrain(**structs.asdict(arguments), progress=progress)


def render(found: RetrainResult) -> str:
    """Say what was learned from, and what the gates said or how to ask them."""
    named = f"{found.name}, version {found.version}" if found.name else found.challenger
    challenger = f"ledger:/{found.name}@{found.version}" if found.name else found.challenger
    learned = (
        f"challenger: {named} ({found.recipe}, {found.rows:,} rows, {found.elapsed_s:.0f} s, "
        f"{found.metric} {figure(found.score)} on its own held-out rows)"
    )
    if found.verdict is not None:
        state = "PROMOTED" if found.promoted else "REFUSED: the champion stays"
        return f"{learned}\n{state}: {found.verdict}"
    return "\n".join([
        learned,
        f"Compare it on the {found.judged_rows:,} latest rows, which it has not seen:",
        f"  drivetrain compare {found.champion} {challenger} {found.judged}",
    ])  # fmt: skip


command = Command(
    settings=RetrainArguments,
    run=run,
    render=render,
    example="drivetrain retrain income --log predictions --time-limit 60",
    positional=("champion",),
    status=lambda found: 1 if found.verdict is not None and not found.promoted else 0,
)
