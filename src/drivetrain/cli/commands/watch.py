"""Watch a model that serves: quality before and after labels come, drift, alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.findings import findings_text
from drivetrain.cli.text import figure, strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.keep_watching import KeepWatchingSettings, keep_watching
from drivetrain.monitor.watched import WatchReport, WindowReport


class WatchArguments(KeepWatchingSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain watch``."""

    bundle: Annotated[
        str, Meta(description="Folder of the bundle that answers, or ledger:/NAME@champion.")
    ]
    log: Annotated[str, Meta(description="Folder that the server logs to.")]


def run(arguments: WatchArguments, progress: Listener) -> WatchReport | None:
    """Call :func:`drivetrain.lifecycle.keep_watching.keep_watching`."""
    settings = structs.asdict(arguments)
    bundle, log = settings.pop("bundle"), settings.pop("log")
    return keep_watching(bundle, log, KeepWatchingSettings(**settings), progress=progress)


def render(report: WatchReport | None) -> str:
    """Show the windows, then what was found."""
    if report is None:
        return ""
    better = "greater" if report.greater_is_better else "less"
    head = strong(f"{report.model}: {'BREACH' if report.breach else 'no breach'}")
    base = (
        f"{report.metric} on held-out rows of training: {figure(report.baseline.score)} "
        f"({better} is better)"
    )
    header = ["window from (UTC)", "rows", "estimated", "interval", "realised", "labels", "drifted"]
    windows = table([_row(w) for w in report.windows], header=header, right="lrrlrrr")
    return "\n\n".join([f"{head}\n{base}", windows, findings_text(report.findings)])


def _row(window: WindowReport) -> list[str]:
    guess, real = window.estimate, window.realised
    drifted = {result.subject for result in window.drift if result.found}
    return [
        f"{datetime.fromtimestamp(window.start_us / 1e6, UTC):%Y-%m-%d %H:%M}",
        f"{window.rows:,}",
        ("too few rows" if not window.judged else "–") if guess is None else figure(guess.score),
        "" if guess is None else f"{figure(guess.low)} to {figure(guess.high)}",
        "–" if real is None else figure(real.score),
        "–" if real is None else f"{real.share:.0%}",
        str(len(drifted)),
    ]


command = Command(
    settings=WatchArguments,
    run=run,
    render=render,
    example="drivetrain watch bundle predictions --once --window 1d",
    positional=("bundle", "log"),
    status=lambda report: 1 if report is not None and report.breach else 0,
)
