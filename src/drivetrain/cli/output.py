"""Standard output holds the answer and nothing else; standard error holds words and progress."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

import msgspec

from drivetrain.core.errors import DrivetrainError


@contextmanager
def only_answers() -> Iterator[None]:
    """Send to stderr whatever a library or a child process prints to stdout meanwhile.

    The file descriptor is turned, not only ``sys.stdout``: native code writes there by itself.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def short_warnings() -> Iterator[None]:
    """Show a warning as one line on stderr, without the line of code that gave it."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        sys.stderr.write(f"warning: {' '.join(str(message).split())}\n")

    kept = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = kept


def write_json(value: object) -> None:
    """Print one JSON object on stdout, on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode("utf-8") + "\n")


def write_text(text: str) -> None:
    """Print text on stdout."""
    if text:
        sys.stdout.write(text.rstrip("\n") + "\n")


def error_object(error: DrivetrainError) -> dict[str, Any]:
    """Return what ``--json`` prints for an error."""
    return {
        "error": {
            "code": error.code,
            "type": type(error).__name__,
            "message": error.line(),
            "where": error.where,
            "expected": error.expected,
            "remedy": error.remedy,
            "exit_status": error.exit_status,
        }
    }
