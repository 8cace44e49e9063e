"""The help of the program and of each command, as ``--help`` prints it and docs/cli.md holds it."""

from __future__ import annotations

import textwrap
from typing import Any

from drivetrain.cli.command import Command, Commands
from drivetrain.cli.parse import Common
from drivetrain.core.settings import Field, fields

WIDTH = 96
_METAVARS = {
    "text": "TEXT",
    "integer": "N",
    "number": "NUMBER",
    "switch": "",
    "list": "TEXT",
    "pairs": "NAME=VALUE",
}


def program_help(commands: Commands) -> str:
    """Return the help of ``drivetrain`` itself, without importing a command."""
    names = commands.names()
    width = max(len(name) for name in names)
    lines = [f"  {name:<{width}}  {commands.summary(name)}" for name in names]
    return "\n".join(
        [
            "usage: drivetrain COMMAND [OPTIONS]",
            "",
            "drivetrain: from a table and a target column to a model in production.",
            "",
            "commands",
            *lines,
            "",
            "Each command has --help, with an example, and --json. Settings may stand in",
            "drivetrain.toml, in a section named like the command.",
            "",
            "exit status: 0 done, 1 a gate refused, 2 your input, 3 the environment, 70 our fault",
        ]
    )


def command_help(name: str, summary: str, command: Command[Any, Any]) -> str:
    """Return the help of one command."""
    listed = fields(command.settings)
    by_name = {field.name: field for field in listed}
    positions = [by_name[position] for position in command.positional]
    options = [field for field in listed if field.name not in command.positional]
    words = "".join(
        f" {field.name.upper()}" if field.required else f" [{field.name.upper()}]"
        for field in positions
    )
    needed = "".join(f" {_left(field)}" for field in options if field.required)
    parts = [f"usage: drivetrain {name}{words}{needed} [OPTIONS]", summary]
    if positions:
        rows = [(field.name.upper(), _right(field)) for field in positions]
        parts.append(_section("arguments", rows))
    if options:
        parts.append(_section("options", [(_left(field), _right(field)) for field in options]))
    common = [(_left(field), _right(field)) for field in fields(Common)]
    parts.append(_section("options of every command", common))
    parts.append(f"example\n  {command.example}")
    return "\n\n".join(parts)


def _left(field: Field) -> str:
    if field.type == "switch":
        return field.option if field.default is not True else field.option.replace("--", "--no-", 1)
    metavar = "|".join(field.choices) if field.choices else _METAVARS[field.type]
    return f"{field.option} {metavar}"


def _right(field: Field) -> str:
    notes = []
    if field.type in {"list", "pairs"}:
        notes.append("May be repeated.")
    if field.required:
        notes.append("Required.")
    elif field.default is not None and field.default is not False and field.default != "":
        notes.extend(_default(field.default))
    description = field.description
    if description:
        description = description[0].upper() + description[1:]
        description += "" if description.endswith(".") else "."
    return " ".join([description, *notes])


def _default(value: Any) -> list[str]:
    if value is True:
        return ["Default: on."]
    if isinstance(value, float):
        return [f"Default: {value:g}."]
    if isinstance(value, (list, tuple, dict)):
        return [f"Default: {', '.join(map(str, value))}."] if value else []
    return [f"Default: {value}."]


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    width = min(30, max(len(left) for left, _ in rows))
    lines = [title]
    for left, right in rows:
        wrapped = textwrap.wrap(right, WIDTH - width - 4) or [""]
        if len(left) > width:
            lines.append(f"  {left}")
        else:
            lines.append(f"  {left:<{width}}  {wrapped.pop(0)}".rstrip())
        lines.extend(f"  {'':<{width}}  {line}" for line in wrapped)
    return "\n".join(lines)
