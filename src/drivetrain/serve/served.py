"""A model under its name, and the lineup: which model answers which request.

A lineup never changes. A handler takes one :class:`Served` from it and works with that to its end,
so that every answer comes from exactly one model; a model of an older lineup lives until the last
request that took it is answered.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Protocol

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.contract import Contract
from drivetrain.core.manifest import Manifest
from drivetrain.runtime.admit import Admitted, AdmittedRow
from drivetrain.runtime.cells import UnreadableCell, canonical
from drivetrain.runtime.methods import methods_of


class Scorer(Protocol):
    """What is served: ``runtime.Model``, or anything that runs typed columns as it does."""

    @property
    def contract(self) -> Contract:
        """What a valid row is."""

    @property
    def manifest(self) -> Manifest:
        """Everything known about the bundle."""

    def admit(self, source: object) -> Admitted:
        """Turn rows into typed columns; ContractError where the Contract refuses one."""

    def run(self, columns: Columns) -> dict[str, Array]:
        """Return ``prediction`` (n,) and, for a classification, ``probabilities`` (n, classes)."""

    def admit_one(self, source: object) -> AdmittedRow | None:
        """Admit a single row sooner; None where only :meth:`admit` can decide."""

    def run_rows(self, rows: Sequence[AdmittedRow]) -> dict[str, Array]:
        """Run rows that were admitted one by one."""


class Served:
    """A model under the name and version that clients call it by.

    Parameters
    ----------
    ledger_version
        Its ``name/number`` in the ledger, if it stands there.
    background
        Typed columns of the bundle's own rows, which an explanation compares a row with.
    card
        The bundle's model card, in Markdown.
    split
        Set only where the rows decide which model of a lineup answers.
    """

    def __init__(
        self,
        model: Scorer,
        *,
        name: str | None = None,
        ledger_version: str | None = None,
        background: Columns | None = None,
        card: str = "",
        split: Lineup | None = None,
    ) -> None:
        self.model = model
        self.name = name or model.manifest.name
        self.version = model.manifest.content_hash[:12] or "1"
        self.ledger_version = ledger_version
        self.contract = model.contract
        self.text_columns = tuple(
            column.name for column in model.contract.columns if column.kind in ("category", "text")
        )
        self.classes = model.manifest.classes
        self.output_names = tuple(output.name for output in model.manifest.outputs)
        self.methods = methods_of(self.output_names)
        self.background = background
        self.card = card
        self.split = split


class Lineup:
    """The models that answer, their shares of the requests, and those that answer beside.

    Parameters
    ----------
    shares
        Each model with its share; shares are relative to their sum.
    key
        Column whose cell decides by its hash; without it each request is drawn at random. Of a
        batch the first row decides.
    shadows
        Models whose answers only the log sees.
    """

    def __init__(
        self,
        shares: Sequence[tuple[Served, float]],
        *,
        key: str | None = None,
        shadows: Sequence[Served] = (),
    ) -> None:
        self.answering = tuple(served for served, share in shares if share > 0)
        self.shadows = tuple(shadows)
        self.first = max(shares, key=lambda pair: pair[1])[0]
        self._known = (self.first, *(served for served, _ in shares))
        whole = sum(share for _, share in shares)
        self._bounds = tuple(accumulate(share / whole for _, share in shares if share > 0))
        self._key = key
        self._chosen: Served | None = self.first if len(self.answering) == 1 else None
        if self._chosen is None and key is not None:
            self._chosen = Served(
                self.first.model,
                name=self.first.name,
                ledger_version=self.first.ledger_version,
                background=self.first.background,
                card=self.first.card,
                split=self,
            )

    def take(self) -> Served:
        """Return who answers a request that names no version."""
        return self._chosen if self._chosen is not None else self._at(random.random())

    def find(self, name: str, version: str | None) -> Served | None:
        """Return the model with this name and version; without a version, who answers."""
        if version is None:
            taken = self.take()
            return taken if taken.name == name else None
        for served in self._known:
            if served.name == name and served.version == version:
                return served
        return None

    def by_rows(self, rows: object) -> Served:
        """Return who answers these rows, by the hash of the first row's key."""
        try:
            text = canonical(_first_cell(rows, self._key or ""))
        except UnreadableCell:  # whoever answers refuses it, by its Contract
            text = ""
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest()
        return self._at(int.from_bytes(digest, "big") / (1 << 56))

    def _at(self, place: float) -> Served:
        for served, bound in zip(self.answering, self._bounds, strict=True):
            if place < bound:
                return served
        return self.answering[-1]


def _first_cell(rows: object, column: str) -> Any:
    """Return the first row's cell; None where the rows have no such column."""
    if isinstance(rows, Mapping):
        cells: Any = rows.get(column)
        if isinstance(cells, (str, bytes)) or not hasattr(cells, "__getitem__"):
            return cells
        return cells[0] if len(cells) else None
    if isinstance(rows, Sequence):
        first = rows[0] if rows else None
        return first.get(column) if isinstance(first, Mapping) else None
    names = getattr(rows, "column_names", ())  # an Arrow table
    if column in names:
        cells = getattr(rows, "column")(column)  # noqa: B009
        return cells[0].as_py() if len(cells) else None
    return None
