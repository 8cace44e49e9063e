"""Do the whole job on real data: check, train, prove, evaluate, serve one row."""

from __future__ import annotations

from msgspec import structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure, pairs, strong
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.demo import DemoResult, DemoSettings, demo


def run(settings: DemoSettings, progress: Listener) -> DemoResult:
    """Call :func:`drivetrain.lifecycle.demo.demo`."""
    return demo(progress=progress, **structs.asdict(settings))


def render(result: DemoResult) -> str:
    """Show what was shown, and what to do next."""
    interval = f"{figure(result.score_low)} to {figure(result.score_high)}"
    answers = ", ".join(
        f"{name} {share:.6f}" for name, share in zip(result.classes, result.served, strict=True)
    )
    summary = pairs(
        [
            ("checked", f"{result.findings} findings; drivetrain check shows them"),
            ("trained", f"in {result.train_s:.1f} s: {result.bundle}"),
            (
                "proved",
                f"graph and libraries differ by {figure(result.proof_max_abs_diff, 2)} at most "
                f"on {result.proof_rows:,} rows",
            ),
            (
                "evaluated",
                f"{result.metric} {figure(result.score)}, 95 % interval {interval}, on "
                f"{result.new_data}",
            ),
            (
                "sent",
                ", ".join(f"{name} {cell}" for name, cell in list(result.row.items())[:5]) + " …",
            ),
            ("served", f"{result.url} answered: {answers}"),
            ("in process", "the same, bit for bit"),
            ("in all", f"{result.elapsed_s:.0f} s"),
        ]
    )
    following = "\n".join(
        [
            "Next",
            f"  drivetrain inspect {result.bundle}",
            f"  drivetrain predict {result.bundle} {result.new_data} --out predictions.csv",
            f"  drivetrain serve {result.bundle} --port 8080",
            "  drivetrain train YOUR.csv --target COLUMN",
        ]
    )
    return "\n\n".join([strong("From a CSV to a served prediction"), summary, following])


command = Command(
    settings=DemoSettings,
    run=run,
    render=render,
    example="drivetrain demo --time-limit 60",
)
