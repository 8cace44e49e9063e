"""Mirror a model's versions and aliases to MLflow's registry."""

from __future__ import annotations

import warnings
from typing import Annotated

import msgspec

from drivetrain.core.errors import DrivetrainError, SettingError, UnknownNameError, Value
from drivetrain.core.findings import Finding
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.mlflow_mirror import Mirrored
from drivetrain.registry.mlflow_mirror import mirror as mirror_to
from drivetrain.registry.mlflow_server import URI, connect, is_configured, within

PATIENCE_S = 120.0  # of the command
SHORT_PATIENCE_S = 30.0  # of the commands that mirror besides


class MirrorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of ``drivetrain mirror``."""

    name: Annotated[str, msgspec.Meta(description="name of the model")]
    check: Annotated[
        bool, msgspec.Meta(description="change nothing; exit status 1 if MLflow differs by hand")
    ] = False
    ledger: Annotated[str | None, msgspec.Meta(description="URL of the ledger")] = None


def mirror(name: str, *, check: bool = False, ledger: str | None = None) -> Mirrored:
    """Bring the model registry of ``MLFLOW_TRACKING_URI`` to what the ledger says of a model.

    ``register``, ``promote`` and ``rollback`` do so by themselves where that variable is set. An
    alias that was moved in MLflow by hand is a Finding; it is put back, unless ``check``.

    Raises
    ------
    SettingError
        If ``MLFLOW_TRACKING_URI`` is not set.
    UnknownNameError
        If the ledger has nothing under this name.
    ResourceError
        If the server does not answer.
    """
    if not is_configured():
        raise SettingError(
            where=URI,
            expected="the address of an MLflow server",
            got="nothing",
            remedy=f"Set it: export {URI}=http://HOST:5000",
            code="DT283",
        )
    book = Ledger(ledger)
    if not book.versions(name):
        raise UnknownNameError(
            where="mirror",
            expected="a registered model",
            got=Value(name),
            remedy=f"Register a bundle first: drivetrain register BUNDLE --name {name}",
            code="DT2D5",
        )
    return within(PATIENCE_S, lambda: mirror_to(book, name, connect(), only_look=check))


def tell_mlflow(book: Ledger, name: str) -> None:
    """Mirror what the ledger has just got, where a server is configured; warn where it fails."""
    for finding in differences(book, name, only_look=False):
        warnings.warn(f"{finding.where}: {finding.what} {finding.remedy}", stacklevel=3)


def differences(book: Ledger, name: str, *, only_look: bool = True) -> tuple[Finding, ...]:
    """Compare with a configured server and never fail: what goes wrong is a Finding too."""
    if not is_configured():
        return ()
    try:
        return within(
            SHORT_PATIENCE_S, lambda: mirror_to(book, name, connect(), only_look=only_look)
        ).findings
    except DrivetrainError as error:
        return (
            Finding(
                check="mlflow",
                where=error.where,
                what="The ledger is whole, but it could not be compared with MLflow's registry: "
                f"expected {error.expected}, got {error.got}.",
                severity="warning",
                evidence={},
                remedy=f"{error.remedy} Then: drivetrain mirror {name}",
            ),
        )
