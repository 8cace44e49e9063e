"""How long operations tell how far they are: events to whoever listens."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of news from a long operation."""

    stage: str  # "read", "check", "search", "prove", "evaluate", "predict"
    message: str  # one line in words
    done: float | None = None  # of `total`; None where there is no count
    total: float | None = None
    elapsed_s: float = 0.0
    passing: bool = False  # true of this moment only: for a line that overwrites itself


_CLEAR = "\x1b[K"  # to the end of a terminal's line

Listener: TypeAlias = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Listen to nothing."""


def to_stderr(news: Progress) -> None:
    """Print the news to standard error, one line each.

    On a terminal, counts and passing news share one line that overwrites itself; elsewhere passing
    news are left out.
    """
    is_terminal = sys.stderr.isatty()
    if news.passing and not is_terminal:
        return
    share = "" if not news.total or news.done is None else f" {100 * news.done / news.total:3.0f}%"
    line = f"{news.elapsed_s:6.1f}s  {news.stage:<9}{share} {news.message}"
    if is_terminal:
        counting = news.passing or (news.done is not None and news.done != news.total)
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{_CLEAR}{line[:width]}" if counting else f"\r{_CLEAR}{line}\n")
    else:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


class Reporter:
    """Makes news with the time since the operation began."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the operation began."""
        return time.monotonic() - self._began

    def say(
        self,
        stage: str,
        message: str,
        *,
        done: float | None = None,
        total: float | None = None,
        passing: bool = False,
    ) -> None:
        """Tell the listener one thing."""
        self._listener(
            Progress(
                stage=stage,
                message=message,
                done=done,
                total=total,
                elapsed_s=self.elapsed_s,
                passing=passing,
            )
        )
