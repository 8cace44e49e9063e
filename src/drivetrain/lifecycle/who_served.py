"""Tell which version answered, at a time or for a prediction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from drivetrain.core.errors import SettingError, UnknownNameError, Value
from drivetrain.registry.entries import CHAMPION, Version
from drivetrain.registry.ledger import Ledger


class WhoServedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain who-served``."""

    name: Annotated[str, msgspec.Meta(description="name of the model")]
    at: Annotated[
        str | None, msgspec.Meta(description="time, ISO 8601; without an offset it is UTC")
    ] = None
    id: Annotated[str | None, msgspec.Meta(description="prediction id that a server gave")] = None
    alias: Annotated[str, msgspec.Meta(description="alias that was served")] = CHAMPION
    ledger: Annotated[str | None, msgspec.Meta(description="URL of the ledger")] = None


class WhoServed(msgspec.Struct, frozen=True, kw_only=True):
    """The version an alias pointed to at a moment (``at_us``: microseconds since 1970, UTC)."""

    at_us: int
    alias: str
    version: Version


def who_served(
    name: str,
    *,
    at: str | datetime | None = None,
    id: str | None = None,
    alias: str = CHAMPION,
    ledger: str | None = None,
) -> WhoServed:
    """Return the version that an alias pointed to at a time, or when a prediction was made.

    A prediction id is a UUID of version 7: its first 48 bits are the time of the answer in
    milliseconds, so it needs no log to be dated.

    Raises
    ------
    SettingError
        If neither or both of ``at`` and ``id`` are given, or one cannot be read.
    UnknownNameError
        If the alias pointed nowhere then.
    """
    if (at is None) == (id is None):
        raise SettingError(
            where="who-served",
            expected="either --at or --id",
            got="both" if at is not None else "neither",
            remedy="Give one of them.",
            code="DT2D0",
        )
    at_us = _time_of(id) if id is not None else _time(at)
    version = Ledger(ledger).served_at(name, at_us, alias=alias)
    if version is None:
        raise UnknownNameError(
            where=f"alias '{name}@{alias}' at {datetime.fromtimestamp(at_us / 1e6, UTC)}",
            expected="a version",
            got="none yet",
            remedy=f"See when it was set: drivetrain history {name}",
            code="DT254",
        )
    return WhoServed(at_us=at_us, alias=alias, version=version)


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
