"""Findings and decisions: what drivetrain noticed, and what it chose and why."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Severity: TypeAlias = Literal["info", "warning", "error"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing noticed in data or model: where, what, how bad, evidence, one remedy."""

    check: str  # name of the check, its file's name
    where: str  # "column 'age'", "columns 'a', 'b'", "rows", "target 'y'"
    what: str  # one sentence
    severity: Severity
    evidence: dict[str, Any]  # numbers and a few examples, JSON-able
    remedy: str  # one sentence in the imperative
    columns: tuple[str, ...] = ()  # the columns it speaks of
    leaves_out: bool = False  # training leaves these columns out, unless --keep


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One automatic choice, with its evidence, in words that teach."""

    subject: str  # "column 'age'", "metric", "split", "blend"
    choice: str  # "number", "log_loss", "5 stratified folds"
    reason: str  # one or two sentences, with the numbers that decided
    by_clock: bool = False  # made by time or a timing: replay obeys it
