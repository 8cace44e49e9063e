"""Tell which version answered, at a time or for a prediction."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec

from drivetrain.core.errors import SettingError, UnknownNameError, Value
from drivetrain.monitor.lookup import Logged, find_prediction
from drivetrain.registry.entries import CHAMPION, Version
from drivetrain.registry.ledger import Ledger


class WhoServedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain who-served``."""

    name: Annotated[str, msgspec.Meta(description="name of the model")]
    at: Annotated[
        str | None, msgspec.Meta(description="time, ISO 8601; without an offset it is UTC")
    ] = None
    id: Annotated[str | None, msgspec.Meta(description="prediction id that a server gave")] = None
    log: Annotated[
        str | None,
        msgspec.Meta(description="folder that the server logs to; with --id it says who answered"),
    ] = None
    alias: Annotated[str, msgspec.Meta(description="alias that was served")] = CHAMPION
    ledger: Annotated[str | None, msgspec.Meta(description="URL of the ledger")] = None


class WhoServed(msgspec.Struct, frozen=True, kw_only=True):
    """Which version answered at a moment (``at_us``: microseconds since 1970, UTC).

    With ``logged`` it is what the prediction log says of that very prediction; without, it is where
    the alias pointed then.
    """

    at_us: int
    alias: str
    version: Version
    logged: Logged | None = None


def who_served(
    name: str,
    *,
    at: str | datetime | None = None,
    id: str | None = None,
    log: str | Path | None = None,
    alias: str = CHAMPION,
    ledger: str | None = None,
) -> WhoServed:
    """Return the version that answered a prediction, or that an alias pointed to at a time.

    A prediction id is a UUID of version 7: its first 48 bits are the time of the answer in
    milliseconds, so it needs no log to be dated. Where several versions answer at once, in a
    canary, only the log knows which it was.

    Raises
    ------
    SettingError
        If neither or both of ``at`` and ``id`` are given, or one cannot be read.
    UnknownNameError
        If the alias pointed nowhere then, no closed segment of the log holds the prediction, or
        the bundle that answered has no version under this name.
    """
    if (at is None) == (id is None):
        raise SettingError(
            where="who-served",
            expected="either --at or --id",
            got="both" if at is not None else "neither",
            remedy="Give one of them.",
            code="DT2D0",
        )
    book = Ledger(ledger)
    if id is not None and log is not None:
        return _by_log(book, name, id, log, alias)
    at_us = _time_of(id) if id is not None else _time(at)
    version = book.served_at(name, at_us, alias=alias)
    if version is None:
        raise UnknownNameError(
            where=f"alias '{name}@{alias}' at {datetime.fromtimestamp(at_us / 1e6, UTC)}",
            expected="a version",
            got="none yet",
            remedy=f"See when it was set: drivetrain history {name}",
            code="DT254",
        )
    return WhoServed(at_us=at_us, alias=alias, version=version)


def _by_log(book: Ledger, name: str, prediction: str, log: str | Path, alias: str) -> WhoServed:
    logged = find_prediction(log, prediction, _time_of(prediction))
    if logged is None:
        raise UnknownNameError(
            where=f"prediction log {log}",
            expected="a closed segment that holds the prediction",
            got=Value(prediction),
            remedy="Wait for the segment to be closed, or leave --log out to ask the ledger alone.",
            code="DT2DH",
        )
    for version in reversed(book.versions(name)):
        if version.content_hash == logged.content_hash:
            return WhoServed(at_us=logged.at_us, alias=alias, version=version, logged=logged)
    raise UnknownNameError(
        where=f"model '{name}'",
        expected="a version of the bundle that answered",
        got=f"content {logged.content_hash[:12]}, served as {logged.version or 'a plain bundle'}",
        remedy="Ask for the name it was served under, or register that bundle.",
        code="DT2DI",
    )


def _time(at: str | datetime | None) -> int:
    try:
        moment = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    except ValueError as error:
        raise SettingError(
            where="--at",
            expected="a time such as 2026-11-22T14:00:00",
            got=Value(at),
            remedy="Write it in ISO 8601.",
            code="DT2D2",
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6)


def _time_of(prediction: str) -> int:
    try:
        identity = UUID(prediction)
    except ValueError:
        identity = UUID(int=0)
    if identity.version != 7:
        raise SettingError(
            where="--id",
            expected="a prediction id (UUID version 7)",
            got=Value(prediction),
            remedy="Copy it from the server's answer.",
            code="DT218",
        )
    return (identity.int >> 80) * 1000 + 999  # the whole millisecond has passed
