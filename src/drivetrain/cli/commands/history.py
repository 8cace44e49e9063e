"""Tell everything that happened to a model, oldest first."""

from __future__ import annotations

from msgspec import structs

from drivetrain.cli.command import Command
from drivetrain.cli.findings import findings_text
from drivetrain.cli.text import figure, strong, table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.history import History, HistorySettings, history
from drivetrain.registry.entries import Entry


def run(arguments: HistorySettings, progress: Listener) -> History:
    """Call :func:`drivetrain.lifecycle.history.history`."""
    return history(**structs.asdict(arguments))


def render(told: History) -> str:
    """Show the versions, then each entry on a line."""
    versions = [
        [str(one.version), f"{one.metric} {figure(one.score)}", ", ".join(one.aliases),
         one.content_hash[:12], one.who]
        for one in told.versions
    ]  # fmt: skip
    entries = [[f"{one.at:%Y-%m-%d %H:%M:%S}", one.who, describe(one)] for one in told.entries]
    parts = [
        strong(told.name),
        table(versions, header=["version", "score", "aliases", "content", "who"], right="rllll"),
        table(entries, header=["when (UTC)", "who", "what"], right="lll"),
    ]
    if told.findings:
        parts.append(findings_text(told.findings))
    return "\n\n".join(parts)


def describe(entry: Entry) -> str:
    """Say in a few words what happened."""
    body = entry.body
    if entry.kind == "version":
        return f"version {entry.revision} registered"
    if entry.kind == "alias":
        how = "rolled back" if body["is_rollback"] else "moved"
        by_hand = " by override" if body["is_override"] else ""
        where = f"from {body['previous'] or 'none'} to {body['version']}"
        return f"{entry.subject} {how}{by_hand} {where}: {body['reason']}"
    if entry.kind == "verdict":
        return f"verdict {'passed' if body['passed'] else 'failed'}: {body['summary']}"
    if entry.kind == "desired":
        return f"desired state of {entry.subject}, revision {entry.revision}"
    return f"deployment {entry.subject}: {body['state']}"


command = Command(
    settings=HistorySettings,
    run=run,
    render=render,
    example="drivetrain history income",
    positional=("name",),
)
