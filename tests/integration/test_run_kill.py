"""Killed at any moment, a run goes on; two runs in one folder do not get into each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from drivetrain.core.errors import BundleError
from drivetrain.lifecycle.leaderboard import leaderboard
from drivetrain.runtime.bundle import read_bundle
from drivetrain.search.journal import JOURNAL_FILE, Header, open_run

# With DRIVETRAIN_PROVE a longer count of kills.
KILLS = 24 if os.environ.get("DRIVETRAIN_PROVE") else 2
LATEST_S = 7.0  # about as long as a run takes


def table(path: Path) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 5))
    y = (x[:, 0] * x[:, 1] + random.normal(size=600) > 0).astype(int)
    pl.DataFrame({**{f"x{i}": x[:, i] for i in range(5)}, "y": y}).write_csv(path)
    return path


def start(data: Path, out: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "drivetrain", "train", str(data), "--target", "y"]
    # Some trials and then the end: however busy the machine is, no clock decides.
    words += ["--time-limit", "60", "--trials", "3", "--out", str(out), "--overwrite", "--quiet"]
    path = os.pathsep.join(place for place in sys.path if place)
    return subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )


def finished(out: Path) -> dict[str, float]:
    """Return the trials of a run that has not ended, with the seconds that their fits took."""
    try:
        found = leaderboard(out.with_name(f"{out.name}.run"))
    except BundleError:  # killed before the run had a journal
        return {}
    if found.status == "ended":
        return {}
    return {row.trial: row.fit_s for row in found.trials if row.status == "complete"}


def test_a_run_killed_at_any_moment_keeps_its_trials_and_leaves_a_bundle_whole_or_absent(
    tmp_path: Path,
) -> None:
    data, out = table(tmp_path / "data.csv"), tmp_path / "bundle"
    moments = [1.0, *np.random.default_rng(7).uniform(0.5, LATEST_S, KILLS)]  # the first is early
    kept: dict[str, float] = {}
    kills = 0
    for moment in moments:
        run = start(data, out)
        try:
            _, words = run.communicate(
                timeout=moment
            )  # the moment is random: nothing waits for anything
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
            kills += 1
            if out.exists():
                read_bundle(out)  # verifies every byte
            now = finished(out)
            if now:
                assert kept.items() <= now.items()
            kept = now
        else:
            assert run.returncode == 0, words
            kept = {}
    assert kills >= 1
    run = start(data, out)
    _, words = run.communicate()
    assert run.returncode == 0, words
    known = {row.trial: row.fit_s for row in leaderboard(out).trials}
    assert kept.items() <= known.items()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_second_run_in_the_same_folder_fails_in_one_line_and_harms_nothing(
    tmp_path: Path,
) -> None:
    data, out = table(tmp_path / "data.csv"), tmp_path / "bundle"
    with open_run(tmp_path / "bundle.run", Header(settings={}, data="", packages={})) as journal:
        second = start(data, out)
        _, words = second.communicate()
        assert second.returncode == 3
        assert b"a run folder that no other process works in" in words
        assert words.count(b"\n") == 1
        assert journal.path.name == JOURNAL_FILE
        assert journal.path.exists()
    assert not out.exists()
