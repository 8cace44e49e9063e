"""What a file in ``commands/`` holds, and how the folder is listed without importing one."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec

from drivetrain.core.plugins import Plugins
from drivetrain.core.progress import Listener

S = TypeVar("S", bound=msgspec.Struct)
R = TypeVar("R")

PACKAGE = "drivetrain.cli.commands"


@dataclass(frozen=True)
class Command(Generic[S, R]):
    """One command: its settings, the verb it calls, and how its answer reads.

    Parameters
    ----------
    settings
        Struct of the command's arguments and options; the section of ``drivetrain.toml`` that is
        named like the command holds the same keys.
    run
        Calls one verb of ``lifecycle`` and returns its typed answer, or None if there is nothing
        to say. ``--json`` prints the answer as it is.
    render
        The answer as text for a person.
    example
        A command line that works, for the help.
    positional
        Settings that are given by position, in their order.
    status
        Exit status of an answer: 1 if a gate refused.
    """

    settings: type[S]
    run: Callable[[S, Listener], R]
    render: Callable[[R], str]
    example: str
    positional: tuple[str, ...] = ()
    status: Callable[[R], Literal[0, 1]] = lambda _: 0


class Commands:
    """The commands of the folder and of other packages' entry points ``drivetrain.command``."""

    def __init__(self, package: str = PACKAGE) -> None:
        self._plugins: Plugins[Command[Any, Any]] = Plugins(package, "command")

    def names(self) -> list[str]:
        """Names of all commands, sorted; none is imported. ``who_served.py`` is ``who-served``."""
        return sorted(name.replace("_", "-") for name in self._plugins.names())

    @cached_property
    def _folder(self) -> Path:
        return Path(importlib.import_module(self._plugins.package).__path__[0])

    def summary(self, name: str) -> str:
        """Return the first line of the command's docstring, read from its file, not imported."""
        file = self._folder / f"{_module(name)}.py"
        if not file.is_file():
            return "from another package"
        document = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
        return document.partition("\n")[0]

    def load(self, name: str) -> Command[Any, Any]:
        """Import one command; UnknownNameError or MissingLibraryError if that cannot be."""
        return self._plugins.load(_module(name))


def _module(name: str) -> str:
    return name.replace("-", "_")
