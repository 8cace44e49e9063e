"""Replay: make the bundle of a run again from its journal, the same to the bit.

What a clock decided in the run is read from its journal, so neither this machine's load nor the
time limit matters. The same versions on the same kind of machine give the same content hash.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from drivetrain.core.errors import BundleError
from drivetrain.core.machine import kind_of_machine
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.lifecycle.train import train_in
from drivetrain.lifecycle.training.header import packages
from drivetrain.lifecycle.training.places import choose_places, run_folder
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.runtime.bundle import read_bundle
from drivetrain.search.budget import Budget
from drivetrain.search.journal import (
    JOURNAL_FILE,
    EndEntry,
    Entry,
    StartEntry,
    read_journal,
)
from drivetrain.search.replay import UNTIMED_S, header_in, refuse_other

__all__ = ["ReplayResult", "ReplaySettings", "replay"]

E = TypeVar("E", StartEntry, EndEntry)


class ReplaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain replay``."""

    data: Annotated[
        str | None,
        msgspec.Meta(description="The table of the run, if it lies elsewhere by now."),
    ] = None
    out: Annotated[str, msgspec.Meta(description="Folder of the bundle to write.")] = "replayed"


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a replay; ``replay --json`` prints it.

    ``differs`` names the sealed files whose bytes are not those of the run's bundle; there may be
    none where only the manifest differs.
    """

    bundle: str
    same: bool
    content_hash: str
    expected_hash: str
    differs: tuple[str, ...]
    machine: str
    expected_machine: str
    trials: int
    elapsed_s: float


def replay(
    run: str | Path,
    *,
    data: Any = None,
    out: str | Path = "replayed",
    progress: Listener = silent,
) -> ReplayResult:
    """Make the bundle of a finished run again and compare the two.

    Parameters
    ----------
    run
        Folder of the run, ``BUNDLE.run``, or the bundle beside it.
    data
        The run's table: a path or a frame; by default the path that the run was given.
    out
        Folder of the new bundle.
    progress
        Hears what is being done.

    Raises
    ------
    BundleError
        If the run has not ended, or was made from other data, settings or versions.

    Examples
    --------
    ::

        again = dt.replay("bundle.run", out="again")
        again.same
    """
    began = time.monotonic()
    values = {"data": None, "out": str(out)}
    build(ReplaySettings, values, source="replay()")
    folder = run_folder(run)
    entries = read_journal(folder / JOURNAL_FILE)
    refuse_other("versions", header_in(entries).packages, packages())
    ended = _last(entries, EndEntry, folder)
    started = _last(entries, StartEntry, folder)
    settings = build(TrainSettings, started.settings, source=str(folder / JOURNAL_FILE))
    result = train_in(
        choose_places(out, overwrite=False),
        _table(data, started, folder),
        settings,
        Budget(limit_s=UNTIMED_S, began=began),
        Reporter(progress),
        obeyed=entries,
    )
    manifest = read_bundle(Path(out)).manifest
    return ReplayResult(
        bundle=str(out),
        same=manifest.content_hash == ended.content_hash,
        content_hash=manifest.content_hash,
        expected_hash=ended.content_hash,
        differs=tuple(
            name
            for name in sorted(ended.files.keys() | manifest.files.keys())
            if name not in manifest.files or manifest.files[name].sha256 != ended.files.get(name)
        ),
        machine=kind_of_machine(),
        expected_machine=started.machine,
        trials=result.trials,
        elapsed_s=time.monotonic() - began,
    )


def _last(entries: Sequence[Entry], kind: type[E], folder: Path) -> E:
    for entry in reversed(entries):
        if isinstance(entry, kind):
            return entry
    raise BundleError(
        where=str(folder),
        expected="a run that has ended with a bundle",
        got="one that was cut, or is under way",
        remedy="Start drivetrain train again with the same data and settings: it goes on.",
        code="DT24H",
    )


def _table(data: Any, started: StartEntry, folder: Path) -> Any:
    if data is not None:
        return data
    if started.source:
        return started.source
    raise BundleError(
        where=str(folder),
        expected="the path of the run's table",
        got="a table that was given from memory",
        remedy="Give the same table: --data PATH, or data=FRAME.",
        code="DT24I",
    )
