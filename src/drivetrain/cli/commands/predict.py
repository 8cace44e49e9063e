"""Predict every row of a file, and write a file."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.predict import PredictResult, PredictSettings, predict


class PredictArguments(PredictSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain predict``."""

    bundle: Annotated[str, Meta(description="Folder of the bundle.")]
    data: Annotated[
        str, Meta(description="Table to predict: a file, or an address as in s3://bucket/new.csv.")
    ]


def run(arguments: PredictArguments, progress: Listener) -> PredictResult:
    """Call :func:`drivetrain.lifecycle.predict.predict`."""
    settings = structs.asdict(arguments)
    bundle, data, out = (settings.pop(name) for name in ("bundle", "data", "out"))
    return predict(bundle, data, out, progress=progress, **settings)


def render(result: PredictResult) -> str:
    """Show what was written, and what breached the Contract and was let through."""
    text = (
        f"{result.out}: {result.rows:,} rows, columns {', '.join(result.columns)}; "
        f"{result.elapsed_s:.1f} s, {result.rows_per_s:,.0f} rows/s"
    )
    if result.resumed_rows:
        text += f"; {result.resumed_rows:,} rows were there from a run before"
    if not result.breaches:
        return text
    rows = [[found.column, found.breach, f"{found.rows:,}"] for found in result.breaches]
    counted = table(rows, header=["counted, let through", "breach", "rows"], right="llr")
    return f"{text}\n\n{counted}"


command = Command(
    settings=PredictArguments,
    run=run,
    render=render,
    example="drivetrain predict bundle examples/adult_income.csv.gz --out predictions.csv",
    positional=("bundle", "data"),
)
