"""Turn the words of a command line into plain values by setting, whatever the command is."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from drivetrain.cli.command import Command
from drivetrain.core.errors import SettingError
from drivetrain.core.settings import Field, build, fields, read_toml, verify

CONFIG_FILE = "drivetrain.toml"


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """Options that every command has."""

    json: Annotated[bool, Meta(description="Print one JSON object; words go to stderr.")] = False
    quiet: Annotated[bool, Meta(description="Tell no progress.")] = False
    debug: Annotated[bool, Meta(description="Show a traceback when something fails.")] = False
    config: Annotated[str, Meta(description="File with settings.")] = CONFIG_FILE
    help: Annotated[bool, Meta(description="Show this help.")] = False


class _Parser(argparse.ArgumentParser):
    """argparse that raises instead of printing usage and leaving."""

    def error(self, message: str) -> NoReturn:
        raise SettingError(
            where=self.prog,
            expected="options as its help lists them",
            got=message,
            remedy=f"See {self.prog} --help.",
            code="DT2A1",
        )


def add_field(parser: argparse.ArgumentParser, field: Field) -> None:
    """Add one setting as an option; an option that is not given leaves no value."""
    if field.type == "switch":
        parser.add_argument(
            field.option,
            dest=field.name,
            action=argparse.BooleanOptionalAction,
            default=argparse.SUPPRESS,
        )
        return
    action = "append" if field.type in {"list", "pairs"} else "store"
    parser.add_argument(field.option, dest=field.name, action=action, default=argparse.SUPPRESS)


def parse(
    words: Sequence[str], name: str, command: Command[Any, Any]
) -> tuple[Common, dict[str, Any]]:
    """Return the common options, and the command's own values that were given.

    Raises
    ------
    SettingError
        If an option is unknown, lacks its value, or there is a word too many.
    """
    listed = fields(command.settings)
    positions = [field for field in listed if field.name in command.positional]
    options = [field for field in listed if field.name not in command.positional]
    parser = _Parser(prog=f"drivetrain {name}", add_help=False, allow_abbrev=False)
    for field in [*options, *fields(Common)]:
        add_field(parser, field)
    parser.add_argument("-h", dest="help", action="store_true", default=argparse.SUPPRESS)
    for position in sorted(positions, key=lambda field: command.positional.index(field.name)):
        parser.add_argument(position.name, nargs="?", default=argparse.SUPPRESS)
    given, left = parser.parse_known_intermixed_args(list(words))
    if left:
        raise _unknown(left[0], [field.option for field in [*options, *fields(Common)]], name)
    values = {key: value for key, value in vars(given).items() if value is not argparse.SUPPRESS}
    common = {key: values.pop(key) for key in Common.__struct_fields__ if key in values}
    for field in options:
        if field.type == "pairs" and field.name in values:
            values[field.name] = dict(_pair(text, field) for text in values[field.name])
    return msgspec.convert(common, Common), values


def _pair(text: str, field: Field) -> tuple[str, str]:
    key, equals, value = text.rpartition("=")
    if not equals:
        raise SettingError(
            where=field.option,
            expected="NAME=VALUE",
            got=f"'{text}'",
            remedy=f"Write {field.option} NAME=VALUE, once for each name.",
            code="DT2A2",
        )
    return key, value


def _unknown(word: str, options: list[str], name: str) -> SettingError:
    if not word.startswith("-"):
        return SettingError(
            where=f"drivetrain {name}",
            expected="no further argument",
            got=f"'{word}'",
            remedy=f"Take it out, or see drivetrain {name} --help.",
            code="DT2A3",
        )
    option = word.partition("=")[0]
    near = difflib.get_close_matches(option, options, n=1)
    return SettingError(
        where=f"drivetrain {name}",
        expected="an option it knows",
        got=f"'{option}'",
        remedy=f"Did you mean {near[0]}?" if near else f"See drivetrain {name} --help.",
        code="DT2A4",
    )


def settle(name: str, command: Command[Any, Any], common: Common, given: dict[str, Any]) -> Any:
    """Merge ``drivetrain.toml`` under the command line, and make the settings.

    Raises
    ------
    SettingError
        If a value is wrong, with the place it came from; if one is missing; if the file that
        ``--config`` names is absent.
    """
    path = Path(common.config)
    if common.config != CONFIG_FILE and not path.is_file():
        raise SettingError(
            where="--config",
            expected="a file",
            got=f"'{path}', which is none",
            remedy="Correct the path.",
            code="DT2A5",
        )
    written = read_toml(path, name)
    verify(command.settings, written, source=f"{path} [{name}]")
    values = {**written, **given}
    for position in command.positional:
        required = any(f.required and f.name == position for f in fields(command.settings))
        if required and position not in values:
            raise SettingError(
                where=f"drivetrain {name}",
                expected=position.upper(),
                got="nothing",
                remedy=f"For example: {command.example}",
                code="DT2A0",
            )
    return build(command.settings, values, source=f"drivetrain {name}")
