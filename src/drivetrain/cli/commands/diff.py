"""Tell what changed from one bundle to another: data, columns, recipe, settings, scores."""

from __future__ import annotations

from collections.abc import Sequence

from drivetrain.cli.command import Command
from drivetrain.cli.text import figure, strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.diff import Change, Difference, DiffSettings, diff


def run(arguments: DiffSettings, progress: Listener) -> Difference:
    """Call :func:`drivetrain.lifecycle.diff.diff`."""
    return diff(arguments.first, arguments.second)


def render(found: Difference) -> str:
    """Show scores first, then whatever else differs."""
    if found.same:
        return "The bundles have the same content."
    rows = [
        [score.metric, figure(score.first), figure(score.second), figure(score.gain, 3),
         "intervals overlap" if score.overlap else "apart"]
        for score in found.scores
    ]  # fmt: skip
    header = ["metric", found.first, found.second, "gain", ""]
    parts = [table(rows, header=header, right="lrrrl")]
    if not found.same_rows:
        parts.append("Scores are on different held-out rows: they do not say which is better.")
    if not found.fits:
        parts.append("The second does not fit the requests or the answers of the first.")
    for name in ("contract", "data", "settings", "recipes", "packages", "slices"):
        listed: Sequence[Change] = getattr(found, name)
        if listed:
            lines = [[c.what, _short(c.first), _short(c.second)] for c in listed[:20]]
            more = f"\n… and {len(listed) - 20} more; --json shows all" if len(listed) > 20 else ""
            parts.append(f"{strong(name)}\n{table(lines)}{more}")
    return "\n\n".join(parts)


def _short(value: object) -> str:
    if value is None:
        return "–"
    text = figure(value) if isinstance(value, float) else str(value)
    return text if len(text) <= 48 else text[:45] + "..."


command = Command(
    settings=DiffSettings,
    run=run,
    render=render,
    example="drivetrain diff old_bundle new_bundle",
    positional=("first", "second"),
)
