"""Where the ledger is, who writes to it, and when."""

from __future__ import annotations

import getpass
import os
import socket
import time
from pathlib import Path

from drivetrain.core.errors import SettingError, Value

LONGEST_NAME = 100
ENVIRONMENT = "DRIVETRAIN_LEDGER"
SETTINGS_FILE = "drivetrain.toml"
LEDGER_FILE = "drivetrain-ledger.db"


def default_url() -> str:
    """Return ``DRIVETRAIN_LEDGER``, or a file in the project's folder.

    The project's folder is the nearest one upwards with a ``drivetrain.toml``, else this one.
    """
    if url := os.environ.get(ENVIRONMENT):
        return url
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / SETTINGS_FILE).exists():
            return f"sqlite:///{folder / LEDGER_FILE}"
    return f"sqlite:///{here / LEDGER_FILE}"


def check_name(name: str) -> None:
    """Refuse a model's name that could not stand in ``ledger:/NAME@ALIAS``, a path or a line.

    Raises
    ------
    SettingError
        If it is empty, longer than 100 characters, or has a space at an end, a control or
        formatting character, ``/`` or ``@``.
    """
    fits = 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()
    if not fits or "/" in name or "@" in name:
        raise SettingError(
            where="the model's name",
            expected=f"1 to {LONGEST_NAME} printable characters without / and @",
            got=Value(name),
            remedy="Give another with --name.",
            code="DT2H2",
        )


def this_user() -> str:
    """Return who writes: ``user@host``."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"{os.getuid()}@{socket.gethostname()}"


def now_us() -> int:
    """Return microseconds since 1970, UTC."""
    return time.time_ns() // 1000
