"""A challenger on a share of the traffic: begun and ended by a document in the ledger."""

from __future__ import annotations

from typing import Any

from drivetrain.registry.entries import CHALLENGER, CHAMPION, DesiredBody, Entry
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.located import LEDGER


def challenger_of(document: Entry | None) -> int:
    """Return the version that has a share beside the champion; 0 for none."""
    if document is None:
        return 0
    address: str = document.body["document"]["bundles"].get(CHALLENGER, "")
    return int(address.rpartition("@")[2]) if address else 0


def begin_canary(book: Ledger, name: str, deployment: str, version: int, share: float) -> Entry:
    """Give a version a share of the requests; servers of the deployment see it within a second."""
    bundles = {CHAMPION: f"{LEDGER}{name}@{CHAMPION}", CHALLENGER: f"{LEDGER}{name}@{version}"}
    document = {"bundles": bundles, "shares": {CHAMPION: 100 - share, CHALLENGER: share}}
    reason = f"canary of version {version}, {share:g} % of the requests"
    return _desire(book, name, deployment, document, reason)


def champion_only(book: Ledger, name: str, deployment: str, reason: str) -> Entry:
    """Let the champion answer everything, whichever version it is."""
    document = {"bundles": {CHAMPION: f"{LEDGER}{name}@{CHAMPION}"}}
    return _desire(book, name, deployment, document, reason)


def _desire(
    book: Ledger, name: str, deployment: str, document: dict[str, Any], reason: str
) -> Entry:
    now = book.desired(name, deployment)
    return book.desire(
        name, deployment, DesiredBody(document=document, reason=reason),
        expected_revision=0 if now is None else now.revision,
    )  # fmt: skip
