"""A folder of small commands, so that the machinery is tested apart from the real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drivetrain.cli.command import Commands

ADD = '''"""Add two numbers.

More words that no list shows.
"""

import sys
import warnings
from typing import Annotated

import msgspec
from msgspec import Meta

from drivetrain.cli.command import Command
from drivetrain.core.errors import DataError, GateError, Value


class AddSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings."""

    left: Annotated[float, Meta(description="the first number")]
    right: Annotated[float, Meta(description="the second number")] = 1.0
    times: Annotated[int, Meta(description="how often", ge=1, le=9)] = 1
    label: Annotated[str | None, Meta(description="a name for the sum")] = None
    loud: Annotated[bool, Meta(description="print to stdout as libraries do")] = False
    keep: Annotated[tuple[str, ...], Meta(description="names to keep")] = ()
    kinds: Annotated[dict[str, str], Meta(description="kinds by name")] = {}
    fault: Annotated[str, Meta(description="how to fail")] = ""


class Sum(msgspec.Struct, frozen=True):
    """Answer."""

    total: float
    keep: tuple[str, ...]
    kinds: dict[str, str]
    label: str | None


def run(settings, listener):
    if settings.loud:
        print("noise")
    if settings.fault == "data":
        raise DataError(where="row 3", expected="a number", got=Value("x"), remedy="Drop {value}.")
    if settings.fault == "gate":
        raise GateError(where="gate", expected="more", got="less", remedy="Try again.")
    if settings.fault == "bug":
        raise RuntimeError("two\\nlines")
    if settings.fault == "interrupt":
        raise KeyboardInterrupt
    if settings.fault == "warning":
        warnings.warn("mind\\nthis", stacklevel=1)
    total = (settings.left + settings.right) * settings.times
    return Sum(total, settings.keep, settings.kinds, settings.label)


command = Command(
    settings=AddSettings,
    run=run,
    render=lambda answer: f"total {answer.total:g}",
    example="drivetrain add 1 --right 2",
    positional=("left",),
    status=lambda answer: 1 if answer.total > 100 else 0,
)
'''


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Two commands: ``add``, and ``broken``, whose library is not installed."""
    package = tmp_path / "some_commands"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "add.py").write_text(ADD)
    (package / "broken.py").write_text('"""Need what is absent."""\nimport no_such_library\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield Commands("some_commands")
    for name in [name for name in sys.modules if name.startswith("some_commands")]:
        del sys.modules[name]
