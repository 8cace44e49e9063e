"""Leaderboard: every trial of a run, with its score, its costs, and why it ended as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import MANIFEST_FILE
from drivetrain.lifecycle.training.leaderboard import leaderboard_rows
from drivetrain.lifecycle.training.places import run_folder
from drivetrain.lifecycle.training.settings import GivenUp, TrialRow
from drivetrain.runtime.bundle import read_bundle
from drivetrain.search.journal import (
    JOURNAL_FILE,
    ChoiceEntry,
    EndEntry,
    read_journal,
    searched_entries,
)
from drivetrain.search.replay import header_in
from drivetrain.search.shrink import Measured
from drivetrain.stats.metrics import find_metric

__all__ = ["LeaderboardResult", "LeaderboardSettings", "leaderboard"]


class LeaderboardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain leaderboard``: it has none beside the run or bundle."""


class LeaderboardResult(msgspec.Struct, frozen=True, kw_only=True):
    """The trials of a run, the best first; ``leaderboard --json`` prints it.

    A run that has not ended is under way, or was cut: its blend is not chosen yet.
    """

    where: str
    metric: str
    status: Literal["ended", "not ended"]
    trials: tuple[TrialRow, ...]
    front: tuple[Measured, ...] = ()  # models of these trials, the least error first
    given_up: GivenUp | None = None  # by the one that ships, on held-out rows


def leaderboard(run: str | Path) -> LeaderboardResult:
    """List the trials of a run.

    Parameters
    ----------
    run
        A bundle, or the folder of a run, ``BUNDLE.run``, which may be under way.

    Raises
    ------
    BundleError
        If there is neither, or the bundle was not made by ``train``.

    Examples
    --------
    ::

        best = dt.leaderboard("bundle").trials[0]
        best.family, best.score, best.fit_s, best.cost_us, best.size_bytes
    """
    path = Path(run)
    return _of_bundle(path) if (path / MANIFEST_FILE).is_file() else _of_run(run_folder(path))


def _of_bundle(path: Path) -> LeaderboardResult:
    manifest = read_bundle(path).manifest
    rows = manifest.measured.get("leaderboard")
    if not rows:
        raise BundleError(
            where=str(path),
            expected="a bundle that train has made",
            got="one without trials",
            remedy="Give a bundle of drivetrain train; inspect tells of the others.",
            code="DT24J",
        )
    return LeaderboardResult(
        where=str(path),
        metric=manifest.metric,
        status="ended",
        trials=tuple(msgspec.convert(row, TrialRow) for row in rows),
        front=msgspec.convert(manifest.measured.get("front", ()), tuple[Measured, ...]),
        given_up=msgspec.convert(manifest.measured.get("given_up"), GivenUp | None),
    )


def _of_run(folder: Path) -> LeaderboardResult:
    entries = read_journal(folder / JOURNAL_FILE)
    metric = find_metric(header_in(entries).settings["metric"])
    ends = [entry for entry in entries if isinstance(entry, EndEntry)]
    fronts = [e.value for e in entries if isinstance(e, ChoiceEntry) and e.name == "shrink"]
    return LeaderboardResult(
        where=str(folder),
        metric=metric.name,
        status="ended" if ends else "not ended",
        trials=leaderboard_rows(
            searched_entries(entries), ends[-1].weights if ends else {}, metric
        ),
        front=msgspec.convert(fronts[-1] if fronts else (), tuple[Measured, ...]),
    )
