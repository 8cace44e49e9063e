"""Where a bundle is that is named by its folder or by its place in the ledger."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from drivetrain.core.errors import SettingError
from drivetrain.registry.ledger import Ledger

LEDGER = "ledger:/"


@dataclass(frozen=True)
class Located:
    """A bundle's folder; ``name`` and ``version`` where the ledger was asked."""

    path: Path
    name: str | None = None
    version: int | None = None


def locate(what: str | Path, ledger: str | None = None) -> Located:
    """Return the folder of ``FOLDER``, ``ledger:/NAME@ALIAS`` or ``ledger:/NAME@VERSION``.

    Raises
    ------
    SettingError
        If it begins with ``ledger:/`` and is neither.
    UnknownNameError
        If the ledger has no such version.

    Examples
    --------
    >>> locate("income.bundle").path.name
    'income.bundle'
    """
    text = os.fspath(what)
    if not text.startswith(LEDGER):
        return Located(Path(what))
    name, _, which = text.removeprefix(LEDGER).rpartition("@")
    if not name or not which:
        raise SettingError(
            where=text,
            expected="ledger:/NAME@ALIAS or ledger:/NAME@VERSION",
            got="another form",
            remedy="Correct the address, or give the bundle's folder.",
            code="DT2L0",
        )
    found = Ledger(ledger).version(name, which)
    return Located(Path(found.location), name, found.version)
