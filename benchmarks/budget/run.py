"""Whether runs end in time: elapsed against the limit, and the most memory that they took.

``python -m benchmarks.budget.run`` trains on a table of 1,000,000 x 50 and one of 300 x 2,000, at
10 and 60 s. ``--sets`` does it on the public sets of ``DRIVETRAIN_DATA``, at 10 and 30 s.
``--limits 10 30``, ``--shapes wide``, ``--sets adult_income phoneme`` choose; ``--csv`` writes the
made tables as CSV, which takes longer to read. A run must end by ``limit * 1.05 + 5``, with a
bundle.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.budget.tables import SHAPES, make_table

LOOK_S = 0.05


@dataclass(frozen=True)
class Task:
    """A table to train on."""

    name: str
    data: Path
    target: str
    drop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run took; memory is what is a process's own, mapped files aside."""

    elapsed_s: float
    parent_mb: float
    trial_mb: float
    status: int
    answer: dict[str, object]


def train(task: Task, limit_s: float, home: Path) -> Outcome:
    """Run the command in a process of its own, and watch it and its children."""
    out = home / "bundle"
    words = [sys.executable, "-m", "drivetrain", "train", str(task.data), "--target", task.target]
    words += ["--time-limit", f"{limit_s:g}", "--out", str(out), "--overwrite", "--json", "--quiet"]
    for name in task.drop:
        words += ["--drop", name]
    began = time.perf_counter()
    with (home / "said").open("wb") as said, (home / "errors").open("wb") as errors:
        # Files, for the answer is more than a pipe holds.
        run = subprocess.Popen(words, stdout=said, stderr=errors)
    process = psutil.Process(run.pid)
    parent = trial = 0.0
    while run.poll() is None:
        parent = max(parent, _own_mb(process))
        try:
            workers = process.children(recursive=True)
        except psutil.NoSuchProcess:
            break
        trial = max([trial, *map(_own_mb, workers)])
        time.sleep(LOOK_S)
    run.wait()
    elapsed = time.perf_counter() - began
    told = (home / "said").read_bytes()
    answer = json.loads(told) if told else {"error": (home / "errors").read_text()[-200:]}
    return Outcome(elapsed, parent, trial, run.returncode, answer)


def _own_mb(process: psutil.Process) -> float:
    try:
        memory = process.memory_info()
    except psutil.NoSuchProcess:
        return 0.0
    return float(memory.rss - memory.shared) / 1e6


def shapes(names: list[str], home: Path, *, as_csv: bool) -> Iterator[Task]:
    """Make the tables of these shapes."""
    for name in names:
        path = home / f"{name}.{'csv' if as_csv else 'parquet'}"
        make_table(path, *SHAPES[name])
        yield Task(f"{name} {SHAPES[name][0]:,} x {SHAPES[name][1]:,}", path, "y")


def public_sets(names: list[str]) -> Iterator[Task]:
    """Give the public sets of these names, or all that have a target."""
    folder = Path(os.environ["DRIVETRAIN_DATA"])
    with (folder / "catalog.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if (names and row["name"] not in names) or row["kind"] != "tabular":
                continue
            drop = tuple(name for name in row["drop_columns"].split(";") if name)
            yield Task(row["name"], folder / row["file"], row["target"], drop)


def main() -> int:
    """Print a line for each run; the status is 1 if one was late or left no bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="*", choices=sorted(SHAPES), default=["wide", "long"])
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--limits", nargs="+", type=float)
    parser.add_argument("--csv", action="store_true")
    given = parser.parse_args()
    limits = given.limits or ([10.0, 60.0] if given.sets is None else [10.0, 30.0])
    print(f"{'table':<28}{'limit':>7}{'must':>8}{'elapsed':>9}{'parent':>10}{'trial':>10}  outcome")
    late = 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        tasks = shapes(given.shapes, home, as_csv=given.csv)
        for task in tasks if given.sets is None else public_sets(given.sets):
            for limit_s in limits:
                found = train(task, limit_s, home)
                must_s = 1.05 * limit_s + 5
                bad = found.elapsed_s > must_s or found.status != 0
                late += bad
                told = f"{found.answer.get('metric')} {found.answer.get('score')}"
                if found.status:
                    told = json.dumps(found.answer)[:160]
                print(
                    f"{task.name:<28}{limit_s:>5.0f} s{must_s:>6.1f} s{found.elapsed_s:>7.1f} s"
                    f"{found.parent_mb:>7.0f} MB{found.trial_mb:>7.0f} MB  "
                    f"{'LATE ' if found.elapsed_s > must_s else ''}{told}",
                    flush=True,
                )
    print(f"{late} late or without a bundle")
    return int(late > 0)


if __name__ == "__main__":
    sys.exit(main())
