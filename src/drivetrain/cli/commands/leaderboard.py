"""List every trial of a run: score, costs, and why it ended as it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure, size, strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.leaderboard import LeaderboardResult, LeaderboardSettings, leaderboard
from drivetrain.lifecycle.training.settings import GivenUp
from drivetrain.search.shrink import Measured


class LeaderboardArguments(LeaderboardSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain leaderboard``."""

    run: Annotated[
        str, Meta(description="A bundle, or the folder of a run, BUNDLE.run; it may be under way.")
    ]


def run(arguments: LeaderboardArguments, progress: Listener) -> LeaderboardResult:
    """Call :func:`drivetrain.lifecycle.leaderboard.leaderboard`."""
    return leaderboard(arguments.run)


def render(result: LeaderboardResult) -> str:
    """Show a row for each trial, the best first."""
    ended = "" if result.status == "ended" else ", which has not ended: no blend is chosen yet"
    rows = [
        [
            row.trial,
            figure(row.score),
            f"{100 * row.weight:.0f} %" if row.weight else "",
            f"{row.fit_s:.1f} s",
            f"{row.cost_us:.1f} µs" if row.cost_us else "",
            size(row.size_bytes) if row.size_bytes else "",
            row.status,
            row.error,
        ]
        for row in result.trials
    ]
    header = ["trial", f"{result.metric}, out of fold", "of the blend", "fitted in", "a row costs",
              "its graph", "", ""]  # fmt: skip
    title = strong(f"{len(rows)} trials of {result.where}{ended}")
    return "\n\n".join(
        part
        for part in (
            title,
            table(rows, header=header, right="lrrrrrll"),
            _front(result.front),
            _given_up(result.given_up),
        )
        if rows and part
    )


def _front(front: Sequence[Measured]) -> str:
    """Show what models of these trials cost and give up."""
    rows = [
        [
            line.name,
            str(line.models),
            f"{line.worse:+.2%}",
            line.note or "–" if line.latency_us is None else f"{line.latency_us:.0f} µs",
            "" if line.rows_per_s is None else f"{line.rows_per_s:,.0f}",
            "" if line.size_bytes is None else size(line.size_bytes),
            "ships" if line.is_chosen else "on the front" if line.is_on_front else "",
        ]
        for line in front
    ]
    header = ["model", "models", "error above the least", "a row takes", "rows/s", "its graph", ""]
    return table(rows, header=header, right="lrrrrrl") if rows else ""


def _given_up(found: GivenUp | None) -> str:
    if found is None:
        return ""
    return (
        f"On {found.rows:,} rows that no choice has seen, it errs {found.share:+.2%} more than the "
        f"full ensemble (95 % interval {found.low:+.2%} to {found.high:+.2%})."
    )


command = Command(
    settings=LeaderboardArguments,
    run=run,
    render=render,
    example="drivetrain leaderboard bundle",
    positional=("run",),
)
