"""Write docs/cli.md from the commands' own help; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from drivetrain.cli.command import Commands
from drivetrain.cli.help import command_help, program_help

PLACE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"


def document() -> str:
    """Return the reference of all commands as Markdown."""
    commands = Commands()
    parts = [
        "# Commands",
        "Written by `make docs` from the commands' own `--help`.",
        f"```text\n{program_help(commands)}\n```",
    ]
    for name in commands.names():
        text = command_help(name, commands.summary(name), commands.load(name))
        parts.append(f"## drivetrain {name}\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Write the file, or compare it."""
    if "--check" in sys.argv[1:]:
        if not PLACE.is_file() or PLACE.read_text("utf-8") != document():
            sys.stderr.write("docs/cli.md is not what --help says: run make docs\n")
            return 1
        return 0
    PLACE.write_text(document(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
