"""Where the desired state comes from: a bundle's folder, a file, or the ledger.

A source is asked again and again, never told. Whoever promotes or rolls back only writes; every
server that follows sees it at its next look.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import msgspec

from drivetrain.core.errors import DrivetrainError, MissingLibraryError, SettingError
from drivetrain.serve.desired import DesiredState, one_bundle, read_document, settle

LEDGER = "ledger:/"


class Source(Protocol):
    """What a server follows. Both methods may wait for a disk or a database.

    Attributes
    ----------
    look_s
        Seconds between two looks; None where one look is enough.
    """

    look_s: float | None

    def read(self) -> DesiredState:
        """Return the state that is wanted now; a DrivetrainError if that cannot be known."""

    def report(self, state: str, detail: str) -> None:
        """Tell whoever keeps the state what became of it: ``serving`` or ``refused``."""


def source_of(what: str | Path, *, ledger: str | None = None) -> Source:
    """Return the source for what ``drivetrain serve`` is given.

    A folder is a bundle, a file is a document; ``ledger:/fraud@champion`` follows an alias and
    ``ledger:/fraud/production`` a deployment's document in the ledger.
    """
    text = os.fspath(what)
    if text.startswith(LEDGER):
        return LedgerSource(text, ledger)
    path = Path(text)
    return FileSource(path, ledger) if path.is_file() else BundleSource(path)


class BundleSource:
    """One bundle, for good."""

    look_s: float | None = None

    def __init__(self, path: Path) -> None:
        self._state = one_bundle(path)

    def read(self) -> DesiredState:
        """Return the same state always."""
        return self._state

    def report(self, state: str, detail: str) -> None:
        """Tell nobody."""


class FileSource:
    """A document in a file, read anew when the file is another."""

    look_s: float | None = 0.25

    def __init__(self, path: Path, ledger: str | None = None) -> None:
        self._path = path
        self._ledger = ledger
        self._seen: tuple[int, int, int] | None = None
        self._known: DesiredState | DrivetrainError | None = None

    def read(self) -> DesiredState:
        """Return what the file says now, aliases in it resolved."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            seen = None
        if self._known is None or seen is None or seen != self._seen:
            self._seen = seen
            try:
                self._known = read_document(self._path)
            except SettingError as error:
                self._known = error
        if isinstance(self._known, DrivetrainError):
            raise self._known
        return resolved(self._known, self._ledger)

    def report(self, state: str, detail: str) -> None:
        """Tell nobody: a file has one writer."""


class LedgerSource:
    """An alias of a model, or a deployment's document, in the ledger."""

    look_s: float | None = 0.5

    def __init__(self, address: str, ledger: str | None) -> None:
        self._address = address
        self._ledger = ledger
        self._name, self._subject, self._is_alias = _parts(address)

    def read(self) -> DesiredState:
        """Return what the ledger's newest entry says."""
        if self._is_alias:
            state = DesiredState(
                bundles={self._subject: self._address}, shares={self._subject: 100}
            )
            return resolved(state, self._ledger)
        entry = _open_ledger(self._ledger).desired(self._name, self._subject)
        if entry is None:
            raise _absent(self._address, "a document")
        state = settle(entry.body["document"], where=self._address, folder=Path.cwd())
        return resolved(state, self._ledger)

    def report(self, state: str, detail: str) -> None:
        """Append to the ledger what became of the state."""
        from drivetrain.registry.entries import DeploymentBody

        body = DeploymentBody(state=state, detail=detail)
        _open_ledger(self._ledger).record_deployment(self._name, self._subject, body)


def resolved(state: DesiredState, ledger: str | None) -> DesiredState:
    """Replace ``ledger:/name@alias`` and ``ledger:/name@3`` by the folders they stand for now."""
    if not any(bundle.startswith(LEDGER) for bundle in state.bundles.values()):
        return state
    book = _open_ledger(ledger)
    bundles, registered = dict(state.bundles), dict(state.registered)
    for label, bundle in state.bundles.items():
        if bundle.startswith(LEDGER):
            name, which, is_alias = _parts(bundle)
            if not is_alias:
                raise _absent(bundle, "name@alias or name@version")
            version = book.version(name, which)
            bundles[label] = version.location
            registered[label] = f"{name}/{version.version}"
    return msgspec.structs.replace(state, bundles=bundles, registered=registered)


@cache
def _open_ledger(url: str | None) -> Any:
    """Open the ledger once; its connections are made anew for each question."""
    try:
        from drivetrain.registry.ledger import Ledger
    except ImportError as error:
        raise MissingLibraryError(
            where="the ledger",
            expected="the library 'sqlalchemy'",
            got="no such library",
            remedy="Install it: pip install 'drivetrain[serve]'",
        ) from error
    return Ledger(url)


def _parts(address: str) -> tuple[str, str, bool]:
    rest = address.removeprefix(LEDGER)
    separator = "@" if "@" in rest else "/"
    name, _, subject = rest.rpartition(separator)
    if not name or not subject:
        raise _absent(address, "ledger:/NAME@ALIAS or ledger:/NAME/DEPLOYMENT")
    return name, subject, separator == "@"


def _absent(address: str, expected: str) -> SettingError:
    return SettingError(
        where=address,
        expected=expected,
        got="none",
        remedy="Write it with: drivetrain promote, or name another.",
        code="DT2B1",
    )
