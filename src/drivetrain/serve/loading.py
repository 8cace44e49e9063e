"""From a desired state to a lineup of models that have answered their own vectors."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import msgspec

from drivetrain.core.manifest import MANIFEST_FILE
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.runtime.vectors import Vectors, check_vectors
from drivetrain.serve.desired import DesiredState
from drivetrain.serve.served import Lineup, Served
from drivetrain.serve.settings import ServeSettings

_WARM_ROWS = 3

Loaded: TypeAlias = Mapping[tuple[str, str, str | None], Served]  # folder, digest, ledger version


def load_lineup(
    state: DesiredState, settings: ServeSettings, loaded: Loaded
) -> tuple[Lineup, Loaded]:
    """Load every bundle of a state; what is loaded already and unchanged is taken as it is.

    Raises
    ------
    BundleError
        If one is absent, changed, or answers otherwise than when it was made.
    """
    found: dict[tuple[str, str, str | None], Served] = {}
    served: dict[str, Served] = {}
    for name, folder in state.bundles.items():
        ledger_version = state.registered.get(name)
        identity = (folder, _digest(folder), ledger_version)
        known = found.get(identity) or loaded.get(identity)
        if known is None:
            known = load(folder, settings, ledger_version=ledger_version)
        found[identity] = served[name] = known
    lineup = Lineup(
        [(served[name], share) for name, share in state.shares.items()],
        key=state.key,
        shadows=[served[name] for name in state.shadow],
    )
    return lineup, found


def load(
    folder: str | Path, settings: ServeSettings, *, ledger_version: str | None = None
) -> Served:
    """Read a bundle, let the model answer its own vectors, then a row alone, as most requests do.

    Raises
    ------
    BundleError
        If it is absent, changed, or answers otherwise than when it was made.
    """
    bundle = read_bundle(folder)
    model = Model(bundle, threads=settings.threads)
    check_vectors(bundle, model)
    rows = msgspec.json.decode(bundle.vectors, type=Vectors).rows
    for row in rows[:_WARM_ROWS]:
        model.predict_row(row)
    return Served(
        model,
        name=settings.model_name,
        ledger_version=ledger_version,
        background=model.admit(list(rows)).columns,
        card=bundle.card.decode("utf-8", "replace"),
    )


def _digest(folder: str) -> str:
    """Return the hash of the bundle's manifest, which seals the rest; '' if there is none."""
    try:
        return sha256((Path(folder) / MANIFEST_FILE).read_bytes()).hexdigest()
    except OSError:  # read_bundle says what is wrong
        return ""
