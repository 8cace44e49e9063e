"""Take the champion back."""

from __future__ import annotations

from typing import Annotated

import msgspec

from drivetrain.lifecycle.mirror import tell_mlflow
from drivetrain.lifecycle.promote import Moved, moved
from drivetrain.registry.ledger import Ledger


class RollbackSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain rollback``."""

    name: Annotated[str, msgspec.Meta(description="name of the model")]
    to: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="version to go back to; default: the one before"),
    ] = None
    reason: Annotated[str, msgspec.Meta(description="why, for the record")] = ""
    ledger: Annotated[str | None, msgspec.Meta(description="URL of the ledger")] = None


def rollback(
    name: str, *, to: int | None = None, reason: str = "", ledger: str | None = None
) -> Moved:
    """Point ``champion`` back at the version before it, or at a named one.

    A version that was rolled back from is not gone back to by itself.

    Raises
    ------
    DataError
        If there is no earlier champion.
    UnknownNameError
        If the named version does not exist.
    """
    book = Ledger(ledger)
    move = book.rollback(name, to=to, reason=reason)
    tell_mlflow(book, name)
    return moved(move)
