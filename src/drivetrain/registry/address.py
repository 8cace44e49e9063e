"""Where the ledger is, who writes to it, and when."""

from __future__ import annotations

import getpass
import os
import socket
import time
from pathlib import Path

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


def this_user() -> str:
    """Return who writes: ``user@host``."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"{os.getuid()}@{socket.gethostname()}"


def now_us() -> int:
    """Return microseconds since 1970, UTC."""
    return time.time_ns() // 1000
