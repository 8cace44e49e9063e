"""Tell which columns a bundle uses, and why it answers a row as it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, structs

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure, pairs, strong, table
from drivetrain.core.manifest import PROBABILITIES, SET
from drivetrain.core.progress import Listener
from drivetrain.evaluate.explain.dependence import Dependence
from drivetrain.lifecycle.explain import ExplainResult, ExplainSettings, RowExplanation, explain

MOST_COLUMNS = 15  # shown; --json has all


class ExplainArguments(ExplainSettings, frozen=True, kw_only=True):
    """Settings of ``drivetrain explain``."""

    bundle: Annotated[str, Meta(description="Folder of the bundle.")]
    data: Annotated[str, Meta(description="Table with the target; for --row, any like it.")]


def run(arguments: ExplainArguments, progress: Listener) -> ExplainResult:
    """Call :func:`drivetrain.lifecycle.explain.explain`."""
    settings = structs.asdict(arguments)
    bundle, data = settings.pop("bundle"), settings.pop("data")
    return explain(bundle, data, progress=progress, **settings)


def render(result: ExplainResult) -> str:
    """Show the row's contributions, or the importance and the course of every column."""
    if result.row is not None:
        return _row(result, result.row)
    course = {found.column: found for found in result.dependence}
    rows = [
        [
            found.column,
            figure(found.drop),
            f"{figure(found.low)} to {figure(found.high)}",
            _course(course[found.column]) if found.column in course else "",
        ]
        for found in result.importance[:MOST_COLUMNS]
    ]
    header = ["column", f"{result.metric} lost", "95 % interval", result.explains]
    head = strong(f"{result.bundle} on {result.rows:,} rows of {result.data}")
    return f"{head}\n\n{table(rows, header=header, right='lrll')}{_left(len(result.importance))}"


def _row(result: ExplainResult, row: RowExplanation) -> str:
    rows = [
        [found.column, str(row.cells[found.column]), f"{found.value:+.4g} ± {2 * found.error:.2g}"]
        for found in row.columns[:MOST_COLUMNS]
    ]
    where = f"row {row.row} of {result.data}" if row.row else "the row"
    return "\n\n".join(
        [
            strong(f"{where}: {result.explains} is {figure(row.prediction)}"),
            f"The mean over rows of {result.data} is {figure(row.base)}; the columns add up to the "
            f"difference, {row.prediction - row.base:+.4g}.",
            table(rows, header=["column", "cell", "moves it by"]) + _left(len(row.columns)),
            *([pairs(others)] if len(others := _others(row.outputs, result.classes)) > 1 else []),
        ]
    )


def _others(outputs: dict[str, Any], classes: Sequence[str]) -> list[tuple[str, str]]:
    """Put the answer into words: a set by the names of its classes."""
    words = []
    for name, value in outputs.items():
        if name == SET:
            text = ", ".join(label for label, is_in in zip(classes, value, strict=True) if is_in)
        else:
            text = figure(value) if isinstance(value, float) else str(value)
        if name != PROBABILITIES:
            words.append((name, text))
    return words


def _course(found: Dependence) -> str:
    """Tell where the prediction is least and greatest along a column."""
    if len(found.points) < 2:
        return ""
    least = min(found.points, key=lambda point: point.mean)
    most = max(found.points, key=lambda point: point.mean)
    ends = [f"{figure(point.mean, 3)} at {_value(point.value)}" for point in (least, most)]
    return " … ".join(ends)


def _value(value: float | str | None) -> str:
    if value is None:
        return "missing"
    return figure(value) if isinstance(value, float) else value


def _left(columns: int) -> str:
    return f"\n… {columns - MOST_COLUMNS} more with --json" if columns > MOST_COLUMNS else ""


command = Command(
    settings=ExplainArguments,
    run=run,
    render=render,
    example="drivetrain explain bundle examples/adult_income.csv.gz --row 1",
    positional=("bundle", "data"),
)
