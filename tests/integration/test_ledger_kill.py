"""Killed at any moment, the ledger is whole and nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.bundle import read_bundle
from drivetrain.testing.tabular_bundle import write_tabular_bundle

# With DRIVETRAIN_PROVE a longer count of kills.
KILLS = 60 if os.environ.get("DRIVETRAIN_PROVE") else 6
CHILD = """
import sys
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.register import register
from drivetrain.lifecycle.rollback import rollback

url, start, *bundles = sys.argv[1:]
for number in range(int(start), int(start) + 1000):
    name = f"m{number}"
    for bundle in bundles:
        version = register(bundle, name, ledger=url).version
        print("version", name, version, flush=True)
        promote(name, version, ledger=url)
        print("champion", name, version, flush=True)
    print("champion", name, rollback(name, ledger=url).version, flush=True)
"""


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    bundles = [tmp_path / str(trees) for trees in (1, 2)]
    for trees, bundle in enumerate(bundles, start=1):
        write_tabular_bundle(bundle, trees=trees)
    acknowledged: list[list[str]] = []
    for kill in range(KILLS):
        url = f"sqlite:///{tmp_path}/ledger-{kill % 2}.db"  # a new one, and one that was killed
        words = [sys.executable, "-c", CHILD, url, str(kill * 1000), *map(str, bundles)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            for _ in range(1 + kill % 7):
                acknowledged.append([url, *child.stdout.readline().split()])
            child.kill()
            acknowledged += [[url, *line.split()] for line in child.stdout if line.endswith("\n")]
    assert len(acknowledged) >= KILLS

    for url in {url for url, *_ in acknowledged}:
        ledger = Ledger(url)
        last: dict[str, str] = {}
        for _, kind, name, version in (one for one in acknowledged if one[0] == url):
            found = ledger.version(name, int(version))
            assert read_bundle(found.location).manifest.content_hash == found.content_hash
            if kind == "champion":
                last[name] = version
        for name in last:
            moves = [e.body["version"] for e in ledger.history(name, kind="alias")]
            assert int(last[name]) in moves
            revisions = [e.revision for e in ledger.history(name, kind="alias")]
            assert revisions == list(range(1, len(revisions) + 1))
        assert not [p for p in ledger.store.iterdir() if p.is_dir() and len(p.name) == 64
                    and not (p / "manifest.json").exists()]  # fmt: skip
