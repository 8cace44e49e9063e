"""The desired state: one small document that says what a server serves.

::

    {"bundles": {"champion": "income-4.bundle", "challenger": "income-5.bundle"},
     "shares": {"champion": 90, "challenger": 10}, "key": "customer",
     "shadow": []}

``shares`` are percentages of requests; with ``key`` the hash of that column's cell decides, so that
a customer always meets the same model. Bundles named in ``shadow`` answer beside the others; their
answers are logged, not returned.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from drivetrain.core.errors import SettingError

_WHOLE = 100.0


class DesiredState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a server shall serve. ``registered`` has the ledger's ``name/version`` of bundles."""

    bundles: Annotated[dict[str, str], Meta(description="a name of its own → folder of a bundle")]
    shares: Annotated[
        dict[str, float], Meta(description="name → percentage of the requests; together 100")
    ] = {}
    key: Annotated[
        str | None, Meta(description="column whose cell decides, by its hash, who answers")
    ] = None
    shadow: Annotated[
        tuple[str, ...], Meta(description="names that answer beside, into the log only")
    ] = ()
    registered: dict[str, str] = {}


def one_bundle(path: str | Path) -> DesiredState:
    """Return the state that serves one bundle to all."""
    return DesiredState(bundles={"champion": str(Path(path).absolute())}, shares={"champion": 100})


def read_document(path: Path) -> DesiredState:
    """Read a state from a JSON or TOML file; its relative paths start at the file's folder.

    Raises
    ------
    SettingError
        If it cannot be read, or is not a state.
    """
    try:
        content = path.read_bytes()
        document = (
            tomllib.loads(content.decode("utf-8"))
            if path.suffix == ".toml"
            else msgspec.json.decode(content)
        )
    except OSError as error:
        raise _wrong(str(path), "a file that can be read", error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _wrong(str(path), "a JSON or TOML document", str(error)) from error
    return settle(document, where=str(path), folder=path.absolute().parent)


def settle(document: Any, *, where: str, folder: Path) -> DesiredState:
    """Make a state from a document's plain values: shares filled in, paths absolute.

    Raises
    ------
    SettingError
        If a member is unknown, a name has no bundle, or the shares are not 100 together.
    """
    try:
        state = msgspec.convert(document, DesiredState)
    except msgspec.ValidationError as error:
        raise _wrong(where, "a desired state", str(error)) from error
    for member, names in (("shares", state.shares), ("shadow", state.shadow)):
        for name in names:
            if name not in state.bundles:
                raise _wrong(f"{where}, {member}", f"one of {', '.join(state.bundles)}", name)
    shares = state.shares or {name: _WHOLE for name in state.bundles if name not in state.shadow}
    whole = math.fsum(shares.values())
    if min(shares.values(), default=0.0) < 0 or abs(whole - _WHOLE) > 1e-6:
        raise _wrong(f"{where}, shares", "percentages that are 100 together", f"{whole:g}")
    bundles = {
        name: bundle if bundle.startswith("ledger:") else str((folder / bundle).absolute())
        for name, bundle in state.bundles.items()
    }
    return msgspec.structs.replace(state, bundles=bundles, shares=shares)


def _wrong(where: str, expected: str, got: str) -> SettingError:
    return SettingError(
        where=where,
        expected=expected,
        got=got,
        remedy="Correct the document; what was served before is served on.",
        code="DT216",
    )
