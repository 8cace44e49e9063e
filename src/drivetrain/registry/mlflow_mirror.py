"""Show the ledger in MLflow's model registry: its versions and its aliases, outward only.

The ledger is the truth. What was mirrored last is kept in tags of the registered model, so an
alias that somebody moved there by hand is told from one that the ledger moved since; the first is
a Finding, and is put back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drivetrain.core.findings import Finding
from drivetrain.registry.entries import CHALLENGER, CHAMPION, Version
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.mlflow_server import (
    ARTIFACT,
    HASH_TAG,
    experiment_id,
    log_bundle,
    shown_uri,
)

VERSION_TAG = "drivetrain.version"
ALIAS_TAG = "drivetrain.alias."
_ABSENT = "RESOURCE_DOES_NOT_EXIST"


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """What MLflow's registry shows of a model."""

    name: str
    server: str
    versions: dict[int, int]  # the ledger's version: MLflow's
    aliases: dict[str, int]  # the ledger's version by alias, as MLflow has it now
    findings: tuple[Finding, ...] = ()


def mirror(ledger: Ledger, name: str, client: Any, *, only_look: bool = False) -> Mirrored:
    """Bring MLflow's registry to what the ledger says of a model.

    Parameters
    ----------
    client
        An ``mlflow.MlflowClient``.
    only_look
        Change nothing, and say what differs.

    Raises
    ------
    Exception
        Whatever MLflow raises; see :func:`drivetrain.registry.mlflow_server.within`.
    """
    found = _registered(client, name)
    if found is None and not only_look:
        client.create_registered_model(name)
    versions = _known_versions(client, name) if found is not None else {}
    if not only_look:
        for version in ledger.versions(name):
            if version.version not in versions:
                versions[version.version] = _publish(client, version)
    findings: list[Finding] = []
    aliases: dict[str, int] = {}
    numbers = {theirs: ours for ours, theirs in versions.items()}
    wanted = {alias: state.version for alias, state in ledger.aliases(name).items()}
    for alias in sorted({*wanted, CHAMPION, CHALLENGER}):
        seen = _Alias.read(found, alias)
        want = versions.get(wanted.get(alias, 0), 0)
        if seen.is_moved_by_hand(want):
            findings.append(_moved_by_hand(name, alias, seen.now, want, put_back=not only_look))
        if not only_look:
            seen.write(client, name, want)
        if (now := seen.now if only_look else want) in numbers:
            aliases[alias] = numbers[now]
    return Mirrored(
        name=name, server=shown_uri(), versions=versions, aliases=aliases, findings=tuple(findings)
    )


class _Alias(msgspec.Struct, frozen=True):
    """An alias in MLflow, in its own version numbers; 0 for none, ``last`` None if never ours."""

    name: str
    now: int
    last: int | None

    @classmethod
    def read(cls, found: Any, alias: str) -> _Alias:
        if found is None:
            return cls(alias, 0, None)
        last = found.tags.get(ALIAS_TAG + alias)
        return cls(alias, int(found.aliases.get(alias, 0)), None if last is None else int(last))

    def is_moved_by_hand(self, want: int) -> bool:
        return self.now not in (want, self.last or 0)

    def write(self, client: Any, name: str, want: int) -> None:
        if want and self.now != want:
            client.set_registered_model_alias(name, self.name, str(want))
        elif not want and self.now:
            client.delete_registered_model_alias(name, self.name)
        if (self.last or 0) != want:
            client.set_registered_model_tag(name, ALIAS_TAG + self.name, str(want))


def _registered(client: Any, name: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == _ABSENT:
            return None
        raise


def _known_versions(client: Any, name: str) -> dict[int, int]:
    """Return MLflow's number of each version that was mirrored, the first where there are two."""
    quoted = name.replace("'", "\\'")
    found: dict[int, int] = {}
    token = None
    while True:
        page = client.search_model_versions(f"name='{quoted}'", page_token=token)
        for one in page:
            if (ours := one.tags.get(VERSION_TAG)) is not None:
                theirs = int(one.version)
                found[int(ours)] = min(theirs, found.get(int(ours), theirs))
        token = page.token
        if not token:
            return found


def _publish(client: Any, version: Version) -> int:
    """Make a version in MLflow, of the run that trained the bundle or of one made for it."""
    experiment = experiment_id(client)
    runs = client.search_runs(
        [experiment], f"tags.`{HASH_TAG}` = '{version.content_hash}'", max_results=1
    )
    if runs:
        run_id = runs[0].info.run_id
    else:
        run_id = client.create_run(
            experiment, run_name=f"{version.name} {version.version}"
        ).info.run_id
        if version.score is not None:
            client.log_metric(run_id, version.metric, version.score)
        log_bundle(client, run_id, version.location, version.content_hash)
        client.set_terminated(run_id)
    made = client.create_model_version(
        version.name,
        f"runs:/{run_id}/{ARTIFACT}",
        run_id,
        tags={VERSION_TAG: str(version.version), HASH_TAG: version.content_hash},
        await_creation_for=0,
    )
    return int(made.version)


def _moved_by_hand(name: str, alias: str, now: int, want: int, *, put_back: bool) -> Finding:
    there, here = (f"version {number}" if number else "none" for number in (now, want))
    done = "It was put back." if put_back else "Servers that follow the ledger do not see it."
    return Finding(
        check="mlflow_alias",
        where=f"alias '{name}@{alias}' in MLflow",
        what=f"It was moved there by hand, to {there}; by the ledger it is {here}, in MLflow's "
        f"numbers. {done}",
        severity="warning",
        evidence={"mlflow_version": now, "ledger_has": want, "put_back": put_back},
        remedy=f"Move aliases with: drivetrain promote {name} VERSION --alias {alias}",
    )
