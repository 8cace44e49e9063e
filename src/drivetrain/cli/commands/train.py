"""Train on a table, prove the graph, and write a bundle."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.findings import findings_text
from drivetrain.cli.text import figure, pairs, size, strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.train import TrainResult, TrainSettings, train
from drivetrain.report.words import promises


class TrainArguments(TrainSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain train``."""

    data: Annotated[str, Meta(description="Table to learn from.")]
    out: Annotated[str | None, Meta(description="Folder of the bundle to write.")] = "bundle"


def run(arguments: TrainArguments, progress: Listener) -> TrainResult:
    """Call :func:`drivetrain.lifecycle.train.train`."""
    settings = structs.asdict(arguments)
    settings["families"] = settings.pop("family")
    return train(settings.pop("data"), settings.pop("target"), progress=progress, **settings)


def render(result: TrainResult) -> str:
    """Show the bundle, the proof, the blend, and what to do next."""
    interval = f"{figure(result.score_low)} to {figure(result.score_high)}"
    latency = result.latency
    parity = result.parity
    summary = pairs(
        [
            ("bundle", f"{result.bundle}  ({size(result.size_bytes)})"),
            ("task", f"{result.task}, {result.metric}"),
            ("score", f"{figure(result.score)}  (95 % interval {interval}, rows not seen before)"),
            (
                "proof",
                f"graph and libraries differ by {figure(parity.max_abs_diff, 2)} at most on "
                f"{parity.rows:,} rows, {parity.label_flips} labels differ",
            ),
            (
                "speed",
                f"{latency.single_row_p50_us:.0f} µs for one row, "
                f"{latency.rows_per_s:,.0f} rows/s in batches",
            ),
            ("time", f"{result.elapsed_s:.1f} s, {result.trials} trials"),
        ]
    )
    serious = [found for found in result.findings if found.severity != "info"]
    parts = [strong("Trained."), summary, *promises(result.promises), leaderboard(result)]
    if serious:
        parts.append(findings_text(serious))
    parts.append(
        f"Next: drivetrain serve {result.bundle}   or   drivetrain inspect {result.bundle}"
    )
    return "\n\n".join(parts)


def leaderboard(result: TrainResult) -> str:
    """Show the trials of a run, those of the blend first."""
    rows = [
        [
            row.family,
            figure(row.score),
            f"{100 * row.weight:.0f} %" if row.weight else "",
            f"{row.fit_s:.1f} s",
            row.error or ("" if row.status == "complete" else row.status),
        ]
        for row in sorted(result.leaderboard, key=lambda row: -row.weight)
    ]
    header = ["family", f"{result.metric}, out of fold", "of the blend", "fitted in", ""]
    return table(rows, header=header, right="lrrrl") if rows else ""


command = Command(
    settings=TrainArguments,
    run=run,
    render=render,
    example="drivetrain train examples/adult_income.csv.gz --target income --time-limit 60",
    positional=("data",),
)
