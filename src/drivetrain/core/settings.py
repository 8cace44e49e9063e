"""Settings, declared once: a typed struct is the Python argument, the ``drivetrain.toml`` key, the
CLI option and the row in the docs.

Each field is ``name: Annotated[type, msgspec.Meta(description=..., ge=..., le=...)] = default``.
"""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import inspect

from drivetrain.core.errors import SettingError, UnknownNameError, Value

S = TypeVar("S", bound=msgspec.Struct)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, as the CLI and the docs need it."""

    name: str
    type: Literal["text", "integer", "number", "switch", "list", "pairs"]
    description: str
    default: Any
    required: bool
    choices: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The CLI option: ``time_limit`` is ``--time-limit``."""
        return "--" + self.name.replace("_", "-")


def _plain(kind: inspect.Type) -> tuple[str, tuple[str, ...]]:
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        rest = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        return _plain(rest[0])
    if isinstance(kind, inspect.LiteralType):
        return "text", tuple(str(value) for value in kind.values)
    if isinstance(kind, inspect.BoolType):
        return "switch", ()
    if isinstance(kind, inspect.IntType):
        return "integer", ()
    if isinstance(kind, inspect.FloatType):
        return "number", ()
    if isinstance(kind, (inspect.VarTupleType, inspect.ListType)):
        return "list", ()
    if isinstance(kind, inspect.DictType):
        return "pairs", ()
    return "text", ()


def _description(hint: Any) -> str:
    for part in getattr(hint, "__metadata__", ()):
        if isinstance(part, msgspec.Meta) and part.description:
            return part.description
    return ""


def fields(settings: type[msgspec.Struct]) -> list[Field]:
    """List the settings of a struct in their order."""
    return list(_fields(settings))


@cache
def _hints(settings: type[msgspec.Struct]) -> dict[str, Any]:
    return typing.get_type_hints(settings, include_extras=True)


@cache
def _fields(settings: type[msgspec.Struct]) -> tuple[Field, ...]:
    hints = _hints(settings)
    described = typing.cast(inspect.StructType, inspect.type_info(settings))
    listed = []
    for field in described.fields:
        kind, choices = _plain(field.type)
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        listed.append(
            Field(
                name=field.name,
                type=typing.cast(Any, kind),
                description=_description(hints[field.name]),
                default=None if default is msgspec.NODEFAULT else default,
                required=field.required,
                choices=choices,
            )
        )
    return tuple(listed)


def build(settings: type[S], values: Mapping[str, Any], *, source: str = "settings") -> S:
    """Make the struct from plain values, with an error that names the setting.

    Parameters
    ----------
    settings
        The struct to make.
    values
        Values by field name; texts are read as numbers where the field is one.
    source
        Where the values come from, for errors: ``"drivetrain.toml"``, ``"train()"``.

    Raises
    ------
    SettingError
        If a name is unknown, a value is of the wrong type or out of its range, or one is missing.
    """
    verify(settings, values, source=source)
    for field in fields(settings):
        if field.required and field.name not in values:
            raise SettingError(
                where=f"{source}, setting '{field.name}'",
                expected=field.description or "a value",
                got="nothing",
                remedy=f"Give {field.option}.",
                code="DT212",
            )
    return msgspec.convert(dict(values), settings, strict=False)


def verify(settings: type[msgspec.Struct], values: Mapping[str, Any], *, source: str) -> None:
    """Verify the names and values that are given; settings that are required may be absent.

    Raises
    ------
    SettingError
        If a name is unknown, or a value is of the wrong type or out of its range.
    """
    known = {field.name: field for field in fields(settings)}
    for name, value in values.items():
        if name not in known:
            raise SettingError(
                where=f"{source}, setting '{name}'",
                expected=f"one of {', '.join(known)}",
                got=f"'{name}'",
                remedy="Correct the name.",
                code="DT211",
            )
        _convert_one(settings, name, value, known[name], source)


def _convert_one(
    settings: type[msgspec.Struct], name: str, value: Any, field: Field, source: str
) -> None:
    try:
        msgspec.convert(value, _hints(settings)[name], strict=False)
    except msgspec.ValidationError as error:
        expected = "one of " + ", ".join(field.choices) if field.choices else _reason(error)
        raise SettingError(
            where=f"{source}, setting '{name}'",
            expected=expected,
            got=Value(value),
            remedy=f"Correct {field.option}: {field.description}",
            code="DT213",
        ) from error


def _reason(error: msgspec.ValidationError) -> str:
    text = str(error).removeprefix("Expected ")
    return text.split(", got")[0].split(" - at")[0]


def read_toml(path: Path, section: str) -> dict[str, Any]:
    """Read one section of a ``drivetrain.toml``; an absent file is an empty section.

    Raises
    ------
    SettingError
        If the file is not TOML.
    """
    if not path.exists():
        return {}
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            where=str(path),
            expected="a TOML file",
            got=str(error),
            remedy="Correct the file.",
            code="DT214",
        ) from error
    found = document.get(section, {})
    return dict(found)


def choose(name: str, options: Mapping[str, S] | tuple[str, ...], *, where: str) -> str:
    """Return ``name`` if it is one of ``options``; UnknownNameError otherwise."""
    if name in options:
        return name
    raise UnknownNameError(
        where=where,
        expected=f"one of {', '.join(options)}",
        got=Value(name),
        remedy="Choose one of these names.",
    )
