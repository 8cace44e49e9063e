"""Score a bundle on rows whose target is known."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure, strong, table
from drivetrain.core.progress import Listener
from drivetrain.evaluate.confusion import Confusion
from drivetrain.evaluate.scorecard import Scorecard
from drivetrain.lifecycle.evaluate import EvaluateResult, EvaluateSettings, evaluate
from drivetrain.report.words import promises


class EvaluateArguments(EvaluateSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain evaluate``."""

    bundle: Annotated[str, Meta(description="Folder of the bundle.")]
    data: Annotated[str, Meta(description="Table with the target.")]


def run(arguments: EvaluateArguments, progress: Listener) -> EvaluateResult:
    """Call :func:`drivetrain.lifecycle.evaluate.evaluate`."""
    settings = structs.asdict(arguments)
    bundle, data = settings.pop("bundle"), settings.pop("data")
    return evaluate(bundle, data, progress=progress, **settings)


def render(result: EvaluateResult) -> str:
    """Show the metrics with their intervals, the confusion, and the weakest slices."""
    card = result.scorecard
    parts = [strong(f"{result.bundle} on {result.rows:,} rows of {result.data}"), measures(card)]
    parts += promises(card.promises)
    if card.calibration is not None:
        parts.append(f"Calibration error {figure(card.calibration.error, 3)}.")
    if card.confusion is not None and card.confusion.counts:
        parts.append(confusion_text(card.confusion))
    weak = card.slices.weak[:5]
    if weak:
        rows = [
            [f"{part.column} {part.part}", f"{part.rows:,}", figure(part.score), figure(part.gap)]
            for part in weak
        ]
        header = ["weakest slices", "rows", result.metric, "worse by"]
        parts.append(table(rows, header=header, right="lrrr"))
    return "\n\n".join(parts)


def measures(card: Scorecard) -> str:
    """Show each metric beside its baselines."""
    rows = [
        [
            measure.metric,
            figure(measure.model.score),
            f"{figure(measure.model.low)} to {figure(measure.model.high)}",
            figure(measure.linear),
            figure(measure.constant),
        ]
        for measure in card.measures
    ]
    header = ["metric", "model", "95 % interval", "linear", "constant"]
    return table(rows, header=header, right="lrlrr")


def confusion_text(found: Confusion) -> str:
    """Show how often each class is found, and named rightly."""
    rows = [
        [row.name, f"{row.rows:,}", f"{row.predicted:,}", figure(row.recall), figure(row.precision)]
        for row in found.classes
    ]
    header = ["class", "rows", "predicted", "recall", "precision"]
    return table(rows, header=header, right="lrrrr")


command = Command(
    settings=EvaluateArguments,
    run=run,
    render=render,
    example="drivetrain evaluate bundle examples/adult_income.csv.gz",
    positional=("bundle", "data"),
)
