"""The Ledger: versions, aliases, verdicts, deployments, who and when; append-only.

Everything is an entry of one table (:mod:`drivetrain.registry.entries`); what holds now is the
newest entry of its kind. Nothing is updated or deleted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select

from drivetrain.core.errors import ContractError, DataError, GateError, UnknownNameError, Value
from drivetrain.core.files import new_folder
from drivetrain.core.manifest import Manifest
from drivetrain.registry.address import check_name, default_url, now_us, this_user
from drivetrain.registry.database import connect, entries, transaction
from drivetrain.registry.entries import (
    CHAMPION,
    AliasBody,
    AliasState,
    DeploymentBody,
    DesiredBody,
    Entry,
    EntryKind,
    RetrainBody,
    VerdictBody,
    Version,
    VersionBody,
)
from drivetrain.runtime.bundle import Bundle, read_bundle


class AliasMoved(GateError):
    """Somebody else moved the alias since it was read: nothing was changed."""

    default_code = "DT130"


class Ledger:
    """An append-only record in SQLite or PostgreSQL. Safe to use from many processes at once.

    Parameters
    ----------
    url
        ``sqlite:///…`` or ``postgresql://…``; default: :func:`default_url`.
    who
        Whose name stands in the entries; default: this user at this host.

    Examples
    --------
    >>> ledger = Ledger("sqlite://")
    >>> ledger.versions("fraud")
    []
    """

    def __init__(self, url: str | None = None, *, who: str | None = None) -> None:
        self.url = url or default_url()
        self.who = who or this_user()
        self._engine = connect(self.url)

    @property
    def store(self) -> Path | None:
        """Folder that keeps copies of registered bundles, beside an SQLite file."""
        if self._engine.dialect.name == "sqlite" and self._engine.url.database:
            return Path(self._engine.url.database + ".bundles").absolute()
        folder = os.environ.get("DRIVETRAIN_STORE")
        return Path(folder).absolute() if folder else None

    def register(self, path: str | Path, name: str) -> Version:
        """Verify a bundle, keep a copy, and give it the next version number under ``name``.

        A bundle that has a version under this name already keeps it.

        Raises
        ------
        BundleError
            If the bundle is not whole.
        ContractError
            If the name serves another task already.
        SettingError
            If it is no name.
        """
        check_name(name)
        bundle = read_bundle(Path(path))
        location = self._keep(bundle)
        manifest = bundle.manifest
        body = VersionBody(
            content_hash=manifest.content_hash,
            location=str(location),
            task=manifest.task,
            metric=manifest.metric,
            score=_score(manifest),
            data_fingerprint=manifest.lineage.data_fingerprint,
            rows=manifest.lineage.rows,
        )
        with transaction(self._engine) as connection:
            known = self._read(connection, name=name, kind="version")
            for entry in known:
                if entry.body["content_hash"] == body.content_hash:
                    return _version(entry)
            if known and known[-1].body["task"] != body.task:
                raise ContractError(
                    where=f"model '{name}'",
                    expected=f"a bundle for {known[-1].body['task']}",
                    got=f"one for {body.task}",
                    remedy="Register it under another name.",
                    code="DT2H1",
                )
            return _version(self._append(connection, name, "version", "", body))

    def versions(self, name: str) -> list[Version]:
        """List the versions of a model, oldest first, each with the aliases that point to it."""
        with transaction(self._engine) as connection:
            found = self._read(connection, name=name, kind="version")
            states = self._aliases(connection, name)
        return [
            msgspec.structs.replace(
                _version(entry),
                aliases=tuple(
                    alias for alias, state in states.items() if state.version == entry.revision
                ),
            )
            for entry in found
        ]

    def version(self, name: str, which: int | str) -> Version:
        """Return one version, by number or by alias.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        found = self.versions(name)
        for version in found:
            if str(version.version) == str(which) or which in version.aliases:
                return version
        known = [str(version.version) for version in found]
        raise UnknownNameError(
            where=f"model '{name}'",
            expected=f"one of the versions {', '.join(known)}" if known else "a registered model",
            got=Value(which),
            remedy="Name one of these, or register a bundle under this name first.",
            code="DT252",
        )

    def aliases(self, name: str) -> dict[str, AliasState]:
        """Return where each alias of a model points now."""
        with transaction(self._engine) as connection:
            return self._aliases(connection, name)

    def move(
        self,
        name: str,
        alias: str,
        version: int,
        *,
        reason: str,
        expected_revision: int | None = None,
        verdict: Entry | None = None,
        is_rollback: bool = False,
    ) -> Entry:
        """Point an alias at a version: a compare-and-swap.

        Parameters
        ----------
        expected_revision
            Revision of the alias when the decision was made, 0 for none yet; None moves it
            whatever it is now.
        verdict
            The passing verdict that justifies the move; without one a move of ``champion`` is
            recorded as an override, unless it is a rollback.

        Raises
        ------
        AliasMoved
            If the alias was moved since ``expected_revision``.
        UnknownNameError
            If there is no such version.
        """
        with transaction(self._engine) as connection:
            known = {entry.revision for entry in self._read(connection, name=name, kind="version")}
            if version not in known:
                raise UnknownNameError(
                    where=f"model '{name}'",
                    expected=f"one of the versions {sorted(known)}",
                    got=Value(version),
                    remedy="See the versions with: drivetrain history " + name,
                    code="DT252",
                )
            now = self._aliases(connection, name).get(alias)
            revision = now.revision if now else 0
            if expected_revision is not None and revision != expected_revision:
                raise AliasMoved(
                    where=f"alias '{name}@{alias}'",
                    expected=f"revision {expected_revision}",
                    got=f"revision {revision}, at version {now.version if now else 0}",
                    remedy="Look at the history, then decide anew.",
                )
            passed = bool(verdict and verdict.body["passed"])
            body = AliasBody(
                version=version,
                previous=now.version if now else 0,
                reason=reason,
                verdict=verdict.id if verdict else None,
                is_override=alias == CHAMPION and not passed and not is_rollback,
                is_rollback=is_rollback,
            )
            return self._append(connection, name, "alias", alias, body)

    def rollback(self, name: str, *, to: int | None = None, reason: str = "") -> Entry:
        """Point ``champion`` back at the version before it, or at a named one.

        Raises
        ------
        DataError
            If there is no earlier champion to go back to.
        """
        moves = self.history(name, kind="alias", subject=CHAMPION)
        if not moves:
            raise _nothing_before(name, "no champion")
        now = moves[-1].body["version"]
        target = to if to is not None else _champion_before(moves)
        if target is None:
            raise _nothing_before(name, f"version {now} and none before it")
        return self.move(
            name,
            CHAMPION,
            target,
            reason=reason or f"rolled back from version {now}",
            expected_revision=moves[-1].revision,
            is_rollback=True,
        )

    def record_verdict(self, name: str, verdict: VerdictBody) -> Entry:
        """Append a verdict."""
        with transaction(self._engine) as connection:
            return self._append(connection, name, "verdict", verdict.challenger, verdict)

    def record_deployment(self, name: str, deployment: str, body: DeploymentBody) -> Entry:
        """Append what a server reported of itself."""
        with transaction(self._engine) as connection:
            return self._append(connection, name, "deployment", deployment, body)

    def record_retrain(self, name: str, decide: Callable[[Sequence[Entry]], RetrainBody]) -> Entry:
        """Append what ``decide`` makes of the retrains so far; nothing comes between."""
        with transaction(self._engine) as connection:
            body = decide(self._read(connection, name=name, kind="retrain"))
            return self._append(connection, name, "retrain", "", body)

    def desire(
        self, name: str, deployment: str, body: DesiredBody, *, expected_revision: int | None = None
    ) -> Entry:
        """Append the document that servers of ``deployment`` shall follow: a compare-and-swap."""
        with transaction(self._engine) as connection:
            found = self._read(connection, name=name, kind="desired", subject=deployment)
            revision = found[-1].revision if found else 0
            if expected_revision is not None and expected_revision != revision:
                raise AliasMoved(
                    where=f"deployment '{name}/{deployment}'",
                    expected=f"revision {expected_revision}",
                    got=f"revision {revision}",
                    remedy="Read the newest document, then decide anew.",
                )
            return self._append(connection, name, "desired", deployment, body)

    def desired(self, name: str, deployment: str) -> Entry | None:
        """Return the newest document of a deployment, or None."""
        found = self.history(name, kind="desired", subject=deployment)
        return found[-1] if found else None

    def history(
        self, name: str, *, kind: EntryKind | None = None, subject: str | None = None
    ) -> list[Entry]:
        """List what happened to a model, oldest first."""
        with transaction(self._engine) as connection:
            return self._read(connection, name=name, kind=kind, subject=subject)

    def served_at(self, name: str, at_us: int, *, alias: str = CHAMPION) -> Version | None:
        """Return the version an alias pointed to at a time (microseconds since 1970, UTC)."""
        moves = [
            move for move in self.history(name, kind="alias", subject=alias) if move.at_us <= at_us
        ]
        if not moves or not moves[-1].body["version"]:
            return None
        return self.version(name, moves[-1].body["version"])

    def _keep(self, bundle: Bundle) -> Path:
        """Copy a bundle into the store, so that overwriting the original changes nothing."""
        if self.store is None:
            return bundle.path.absolute()
        kept = self.store / bundle.manifest.content_hash
        if not kept.exists():
            with new_folder(kept) as draft:
                shutil.copytree(bundle.path, draft, dirs_exist_ok=True)
        return kept

    def _append(
        self, connection: Connection, name: str, kind: EntryKind, subject: str, body: Any
    ) -> Entry:
        where = (entries.c.name == name) & (entries.c.kind == kind) & (entries.c.subject == subject)
        newest = connection.execute(select(func.max(entries.c.revision)).where(where)).scalar()
        values = {
            "at_us": now_us(),
            "who": self.who,
            "name": name,
            "kind": kind,
            "subject": subject,
            "revision": (newest or 0) + 1,
            "body": msgspec.to_builtins(body),
        }
        done = connection.execute(insert(entries).values(**values))
        key = done.inserted_primary_key
        return Entry(id=int(key[0]) if key else 0, **values)

    def _read(
        self,
        connection: Connection,
        *,
        name: str,
        kind: EntryKind | None = None,
        subject: str | None = None,
    ) -> list[Entry]:
        query = select(entries).where(entries.c.name == name)
        if kind is not None:
            query = query.where(entries.c.kind == kind)
        if subject is not None:
            query = query.where(entries.c.subject == subject)
        rows = connection.execute(query.order_by(entries.c.id)).mappings()
        return [Entry(**row) for row in rows]

    def _aliases(self, connection: Connection, name: str) -> dict[str, AliasState]:
        states = {}
        for entry in self._read(connection, name=name, kind="alias"):
            states[entry.subject] = AliasState(
                alias=entry.subject,
                version=entry.body["version"],
                revision=entry.revision,
                since_us=entry.at_us,
                reason=entry.body["reason"],
            )
        return states


def _score(manifest: Manifest) -> float | None:
    """Return the bundle's score on its holdout, on the metric it was trained for."""
    measures = manifest.scorecard.get("measures", ())
    found = [one["model"]["score"] for one in measures if one["metric"] == manifest.metric]
    return None if not found else found[0]


def _version(entry: Entry) -> Version:
    body = msgspec.convert(entry.body, VersionBody)
    return Version(
        name=entry.name,
        version=entry.revision,
        at_us=entry.at_us,
        who=entry.who,
        content_hash=body.content_hash,
        location=body.location,
        task=body.task,
        metric=body.metric,
        score=body.score,
    )


def _champion_before(moves: Sequence[Entry]) -> int | None:
    """Return the champion before the present one; what was rolled back from never comes again."""
    discarded = {move.body["previous"] for move in moves if move.body["is_rollback"]}
    now = moves[-1].body["version"]
    for move in reversed(moves):
        previous = int(move.body["previous"])
        if previous and previous != now and previous not in discarded:
            return previous
    return None


def _nothing_before(name: str, got: str) -> DataError:
    return DataError(
        where=f"model '{name}'",
        expected="an earlier champion",
        got=got,
        remedy=f"Name a version: drivetrain rollback {name} --to VERSION.",
        code="DT221",
    )
