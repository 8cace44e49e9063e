"""Make a version the champion."""

from __future__ import annotations

from typing import Annotated

import msgspec

from drivetrain.lifecycle.mirror import tell_mlflow
from drivetrain.registry.entries import CHAMPION, WATCH_GATE, AliasState, Entry
from drivetrain.registry.ledger import Ledger


class PromoteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain promote``."""

    name: Annotated[str, msgspec.Meta(description="name of the model")]
    version: Annotated[int, msgspec.Meta(description="version to promote", ge=1)]
    alias: Annotated[str, msgspec.Meta(description="alias to move", min_length=1)] = CHAMPION
    reason: Annotated[str, msgspec.Meta(description="why, for the record")] = "promoted by hand"
    ledger: Annotated[str | None, msgspec.Meta(description="URL of the ledger")] = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """An alias that was moved. ``previous`` is 0 if it pointed nowhere."""

    name: str
    alias: str
    version: int
    previous: int
    reason: str
    who: str
    at_us: int
    is_override: bool
    is_rollback: bool


def promote(
    name: str,
    version: int,
    *,
    alias: str = CHAMPION,
    reason: str = "promoted by hand",
    ledger: str | None = None,
) -> Moved:
    """Point an alias at a version.

    A passing verdict on that version's bundle against the champion of now is cited; without one the
    move of ``champion`` is recorded as an override. Servers that follow switch within a second.

    Raises
    ------
    UnknownNameError
        If there is no such version.
    AliasMoved
        If somebody moves the alias at the same moment.
    """
    book = Ledger(ledger)
    chosen = book.version(name, version)
    state = book.aliases(name).get(alias)
    verdicts = _verdicts(book, name, chosen.content_hash, state)
    move = book.move(
        name,
        alias,
        version,
        reason=reason,
        expected_revision=state.revision if state else 0,
        verdict=verdicts[-1] if verdicts and verdicts[-1].body["passed"] else None,
    )
    tell_mlflow(book, name)
    return moved(move)


def _verdicts(book: Ledger, name: str, content_hash: str, state: AliasState | None) -> list[Entry]:
    """Return the verdicts on a bundle that were reached against the champion of now, if on any."""
    now = "" if state is None else book.version(name, state.version).content_hash
    return [
        verdict
        for verdict in book.history(name, kind="verdict", subject=content_hash)
        if verdict.body["gate"] != WATCH_GATE and verdict.body["champion"] in ("", now)
    ]


def moved(entry: Entry) -> Moved:
    """Return an alias's entry as the verbs report it."""
    body = entry.body
    return Moved(
        name=entry.name,
        alias=entry.subject,
        version=body["version"],
        previous=body["previous"],
        reason=body["reason"],
        who=entry.who,
        at_us=entry.at_us,
        is_override=body["is_override"],
        is_rollback=body["is_rollback"],
    )
