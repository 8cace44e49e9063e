"""Tell what happened to a model."""

from __future__ import annotations

from typing import Annotated

import msgspec

from drivetrain.core.errors import UnknownNameError, Value
from drivetrain.core.findings import Finding
from drivetrain.lifecycle.mirror import differences
from drivetrain.registry.entries import Entry, Version
from drivetrain.registry.ledger import Ledger


class HistorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain history``."""

    name: Annotated[str, msgspec.Meta(description="name of the model")]
    ledger: Annotated[str | None, msgspec.Meta(description="URL of the ledger")] = None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A model's versions, and every entry about it, oldest first.

    ``findings`` says where MLflow's registry differs, if ``MLFLOW_TRACKING_URI`` is set.
    """

    name: str
    versions: list[Version]
    entries: list[Entry]
    findings: tuple[Finding, ...] = ()


def history(name: str, *, ledger: str | None = None) -> History:
    """List everything the ledger remembers about a model, oldest first.

    Raises
    ------
    UnknownNameError
        If the ledger has nothing under this name.
    """
    book = Ledger(ledger)
    entries = book.history(name)
    if not entries:
        raise UnknownNameError(
            where=f"ledger {book.url.split('@')[-1]}",
            expected="a registered model",
            got=Value(name),
            remedy=f"Register a bundle first: drivetrain register BUNDLE --name {name}",
            code="DT2D4",
        )
    return History(
        name=name,
        versions=book.versions(name),
        entries=entries,
        findings=differences(book, name),
    )
