"""Show a model's versions and aliases in MLflow's registry."""

from __future__ import annotations

from msgspec import structs

from drivetrain.cli.command import Command
from drivetrain.cli.findings import findings_text
from drivetrain.cli.text import table
from drivetrain.core.progress import Listener
from drivetrain.lifecycle.mirror import MirrorSettings, mirror
from drivetrain.registry.mlflow_mirror import Mirrored


def run(arguments: MirrorSettings, progress: Listener) -> Mirrored:
    """Call :func:`drivetrain.lifecycle.mirror.mirror`."""
    return mirror(**structs.asdict(arguments))


def render(shown: Mirrored) -> str:
    """Show which version is which there, then what was moved by hand."""
    rows = [
        [str(ours), str(theirs), ", ".join(a for a, v in shown.aliases.items() if v == ours)]
        for ours, theirs in shown.versions.items()
    ]
    parts = [
        f"{shown.name} at {shown.server}",
        table(rows, header=["version", "in MLflow", "aliases"], right="rrl"),
    ]
    if shown.findings:
        parts.append(findings_text(shown.findings))
    return "\n\n".join(parts)


command = Command(
    settings=MirrorSettings,
    run=run,
    render=render,
    example="drivetrain mirror income --check",
    positional=("name",),
    status=lambda shown: 1 if any(not f.evidence["put_back"] for f in shown.findings) else 0,
)
