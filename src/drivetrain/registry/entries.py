"""What the ledger remembers: one kind of entry for each thing that can happen to a model.

An entry is never changed. Its *revision* counts the entries of the same name, kind and subject
from 1, and no two share one: that uniqueness alone makes versions consecutive and the moving of
an alias a compare-and-swap.

=============  ==================  ========================================================
kind           subject             body
=============  ==================  ========================================================
version        ""                  :class:`VersionBody`; the revision is the version
alias          "champion", …       :class:`AliasBody`
verdict        content hash        :class:`VerdictBody`
desired        deployment's name   :class:`DesiredBody`: what servers shall serve
deployment     deployment's name   :class:`DeploymentBody`: what a server says it serves
retrain        ""                  :class:`RetrainBody`: begun, then done or failed
=============  ==================  ========================================================
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec

EntryKind: TypeAlias = Literal["version", "alias", "verdict", "desired", "deployment", "retrain"]
CHAMPION = "champion"
CHALLENGER = "challenger"
WATCH_GATE = "watch"  # a look at a served bundle's log: failed is a breach
COMPARE_GATE = "compare"  # champion and challenger on the same rows
CANARY_GATE = "canary"  # both on a share of the traffic


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. ``at_us`` is microseconds since 1970, UTC."""

    id: int
    at_us: int
    who: str
    name: str
    kind: EntryKind
    subject: str
    revision: int
    body: dict[str, Any]

    @property
    def at(self) -> datetime:
        """When it happened."""
        return datetime.fromtimestamp(self.at_us / 1e6, UTC)


class VersionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that got a version number."""

    content_hash: str
    location: str  # folder of the bundle
    task: str
    metric: str
    score: float | None = None
    data_fingerprint: str = ""
    rows: int = 0


class AliasBody(msgspec.Struct, frozen=True, kw_only=True):
    """An alias that was moved. ``version`` 0 takes the alias away."""

    version: int
    previous: int  # 0 if there was none
    reason: str
    verdict: int | None = None  # id of the verdict's entry
    is_override: bool = False  # moved by hand without a passing verdict
    is_rollback: bool = False


class VerdictBody(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a gate: a challenger against a champion, with the evidence.

    A verdict of the gate ``watch`` is of one served bundle, named as ``challenger``, with no
    champion: its evidence are the windows and findings. It never justifies a promotion.
    """

    passed: bool
    gate: str
    summary: str
    challenger: str  # content hash
    champion: str = ""  # content hash
    evidence: dict[str, Any] = {}


class DesiredBody(msgspec.Struct, frozen=True, kw_only=True):
    """The document that servers follow."""

    document: dict[str, Any]
    reason: str = ""


class DeploymentBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a server reported of itself: up, switched, refused, down."""

    state: str
    content_hash: str = ""
    detail: str = ""


class RetrainBody(msgspec.Struct, frozen=True, kw_only=True):
    """A retrain that was begun, is done, or failed: one at a time for each name."""

    state: Literal["begun", "done", "failed"]
    champion: int  # version that it starts from
    recipe: str  # "same" or "search"
    source: str
    holder: str  # process that works at it: host and number
    deadline_us: int  # µs since 1970, when whoever began it must have ended
    seconds: float = 0.0
    rows: int = 0  # learned from
    judged_rows: int = 0  # kept back for the comparison
    judged: str = ""  # file that holds them
    version: int = 0  # the challenger, where done
    labels_us: int = 0  # when the last of the labels that it saw was added, µs since 1970
    detail: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One registered version of a model."""

    name: str
    version: int
    at_us: int
    who: str
    content_hash: str
    location: str
    task: str
    metric: str
    score: float | None
    aliases: tuple[str, ...] = ()


class AliasState(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alias points, and the revision a compare-and-swap has to name."""

    alias: str
    version: int
    revision: int
    since_us: int
    reason: str
