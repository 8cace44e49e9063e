"""Make a bundle of an ONNX model from any framework."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure, pairs, size, strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.adopt import adopt
from drivetrain.lifecycle.adopting.settings import AdoptResult, AdoptSettings
from drivetrain.report.words import promises


class AdoptArguments(AdoptSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain adopt``."""

    model: Annotated[str, Meta(description="The ONNX file.")]
    data: Annotated[str, Meta(description="Table with the target, which the model has not seen.")]


def run(arguments: AdoptArguments, progress: Listener) -> AdoptResult:
    """Call :func:`drivetrain.lifecycle.adopt.adopt`."""
    settings = structs.asdict(arguments)
    model, data, target = (settings.pop(name) for name in ("model", "data", "target"))
    return adopt(model, data, target, progress=progress, **settings)


def render(result: AdoptResult) -> str:
    """Show how the model is fed and read, how good it is, and where the bundle lies."""
    score = f"{figure(result.score)} ({figure(result.score_low)} to {figure(result.score_high)})"
    fed = [[row.input, row.type, ", ".join(row.columns)] for row in result.inputs]
    about = pairs(
        [
            ("task", result.task),
            ("classes", ", ".join(result.classes)),
            ("output", f"{result.output}, link {result.link}"),
            (result.metric, f"{score} on {result.rows:,} rows"),
            (
                "proof",
                f"{result.parity.rows:,} rows, largest difference "
                f"{figure(result.parity.max_abs_diff, 2)} from the model alone",
            ),
            ("one row", f"{figure(result.latency.single_row_p50_us, 3)} µs"),
            ("rows/s", figure(result.latency.rows_per_s, 3)),
            ("size", size(result.size_bytes)),
        ]
    )
    decisions = [[made.subject, made.choice, made.reason] for made in result.decisions]
    return "\n\n".join(
        [
            strong(f"{result.bundle}: {result.model} by {result.producer or 'unnamed'}"),
            table(fed, header=["input", "type", "columns"]),
            about,
            *promises(result.promises),
            table(decisions, header=["decision", "choice", "because"]),
            f"Next: drivetrain serve {result.bundle}",
        ]
    )


command = Command(
    settings=AdoptArguments,
    run=run,
    render=render,
    example="drivetrain adopt model.onnx --data test.parquet --target y --out bundle",
    positional=("model",),
)
