"""Give a bundle a version number in the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from drivetrain.lifecycle.mirror import tell_mlflow
from drivetrain.registry.entries import Version
from drivetrain.registry.ledger import Ledger


class RegisterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain register``."""

    bundle: Annotated[str, msgspec.Meta(description="folder of the bundle")]
    name: Annotated[str, msgspec.Meta(description="name of the model", min_length=1)]
    ledger: Annotated[
        str | None, msgspec.Meta(description="URL of the ledger: sqlite:///… or postgresql://…")
    ] = None


def register(bundle: str | Path, name: str, *, ledger: str | None = None) -> Version:
    """Verify a bundle, keep a copy beside the ledger, and give it the next version under a name.

    Parameters
    ----------
    bundle
        Folder of the bundle.
    name
        Name of the model; its versions count from 1.
    ledger
        URL; default: ``DRIVETRAIN_LEDGER``, else a file in the project's folder.

    Raises
    ------
    BundleError
        If the bundle is absent or changed.
    ContractError
        If the name belongs to a model of another task.
    """
    book = Ledger(ledger)
    version = book.register(bundle, name)
    tell_mlflow(book, name)
    return version
