"""How long operations tell how far they are: events to whoever listens."""

from __future__ import annotations

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


Listener: TypeAlias = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Listen to nothing."""


def to_stderr(news: Progress) -> None:
    """Print the news to standard error, one line each; a terminal's counts overwrite themselves."""
    share = "" if not news.total or news.done is None else f" {100 * news.done / news.total:3.0f}%"
    line = f"{news.elapsed_s:6.1f}s  {news.stage:<9}{share} {news.message}"
    counting = sys.stderr.isatty() and news.done is not None and news.done != news.total
    sys.stderr.write(f"\r{line:<100}\r" if counting else f"{line}\n")
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
        self, stage: str, message: str, *, done: float | None = None, total: float | None = None
    ) -> None:
        """Tell the listener one thing."""
        self._listener(
            Progress(stage=stage, message=message, done=done, total=total, elapsed_s=self.elapsed_s)
        )
