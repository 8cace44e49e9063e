"""News on standard error: lines, and one line that overwrites itself on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from drivetrain.core.progress import Progress, to_stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(monkeypatch: pytest.MonkeyPatch, where: io.StringIO) -> str:
    monkeypatch.setattr(sys, "stderr", where)
    to_stderr(Progress(stage="search", message="best auc 0.9; 12 s left", passing=True))
    to_stderr(Progress(stage="search", message="blending"))
    return where.getvalue()


def test_passing_news_are_not_written_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = told(monkeypatch, io.StringIO()).splitlines()
    assert len(lines) == 1
    assert "blending" in lines[0]


def test_on_a_terminal_they_are_overwritten_by_what_comes_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passing, last = told(monkeypatch, Terminal()).split("\r\x1b[K")[1:]
    assert "12 s left" in passing
    assert not passing.endswith("\n")
    assert last.endswith("blending\n")
