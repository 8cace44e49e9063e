"""Train on every tabular set of a catalog and print what the default bundle costs and gives up.

Run it as ``python -m benchmarks.shrink.run --data FOLDER [--seconds 120] [--sets A,B] [--seed 7]``.
A quarter of each set is held out. One row is asked as a dict of different rows, batches as a Polars
frame, through the bundle as it is loaded from the disk. What is given up is the run's own figure:
the choice against the full ensemble of the same trials, both as they were before the held-out rows
were learned. A run that was cut goes on: outcomes lie in ``.benchmarks/shrink``, ``--again`` makes
them anew. ``--bundles FOLDER`` trains none and reads those that ``benchmarks.accuracy.run`` left in
its folder of a limit. Goals are printed beside the figures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any, cast

import polars as pl

from benchmarks.accuracy.run import fingerprint
from benchmarks.accuracy.sets import OFFICIAL_SPLIT, Set, read_catalog
from drivetrain.core.contract import Task
from drivetrain.lifecycle.train import train
from drivetrain.lifecycle.training.speed import measure
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model

WORK = Path(__file__).parent.parent.parent / ".benchmarks" / "shrink"
HOLDOUT = 0.25
MOST_US, LEAST_ROWS_PER_S, MOST_MB = 1_000.0, 20_000.0, 50.0
MEDIAN_SHARE, WORST_SHARE = 0.005, 0.02


def outcome(one: Set, seconds: float, seed: int, *, again: bool) -> dict[str, Any]:
    """Train on a set and measure its bundle, unless that has been done."""
    folder = WORK / fingerprint() / f"{seconds:g}s" / f"{one.name}-{seed}"
    done = folder / "outcome.json"
    if done.exists() and not again:
        found: dict[str, Any] = json.loads(done.read_text())
        return found
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    train(
        str(one.file), target=one.target, task=cast(Task, one.task), metric=one.metric,
        time_limit=seconds, holdout=HOLDOUT, drop=_dropped(one), seed=seed,
        out=str(folder / "bundle"),
    )  # fmt: skip
    found = _facts(folder / "bundle", one, time.monotonic() - began)
    done.write_text(json.dumps(found))
    shutil.rmtree(folder / "bundle.run", ignore_errors=True)
    return found


def made_elsewhere(one: Set, seed: int, folder: Path) -> dict[str, Any] | None:
    """Measure a bundle of the benchmark of accuracy; None where there is none."""
    made = folder / f"{one.name}-{seed}"
    done = made / "outcome.json"
    if not done.exists():
        return None
    return _facts(made / "bundle", one, json.loads(done.read_text())["fit_s"])


def _facts(bundle: Path, one: Set, took_s: float) -> dict[str, Any]:
    manifest = read_bundle(bundle).manifest
    speed = measure(Model.load(bundle), _rows(one))
    front = manifest.measured["front"]
    chosen = next(line for line in front if line["is_chosen"])
    return {
        "took_s": took_s,
        "row_us": speed.single_row_p50_us,
        "rows_per_s": speed.rows_per_s,
        "mb": manifest.files["model.onnx"].size_bytes / 1e6,
        "chosen": chosen["name"],
        "models": chosen["models"],
        "measured": sum(line["latency_us"] is not None for line in front),
        "expected_share": chosen["worse"],
        "given_up": manifest.measured["given_up"],
    }


def _columns(one: Set) -> list[str]:
    read = pl.scan_parquet if one.file.suffix == ".parquet" else pl.scan_csv
    return read(one.file).collect_schema().names()


def _dropped(one: Set) -> tuple[str, ...]:
    return tuple(name for name in (*one.drop, OFFICIAL_SPLIT) if name in _columns(one))


def _rows(one: Set) -> pl.DataFrame:
    """Return rows of a set in a random order, their cells as the file has them."""
    if one.file.suffix == ".parquet":
        frame = pl.read_parquet(one.file)
    else:
        frame = pl.read_csv(one.file, infer_schema=False)
    frame = frame.drop([one.target, *_dropped(one)])
    return frame.sample(min(frame.height, 40_000), shuffle=True, seed=0)


def table(outcomes: dict[str, dict[str, Any]]) -> str:
    """Return a line for each set, a mark beside each figure that misses its goal."""
    lines = [
        f"{'set':22} {'row µs':>9} {'rows/s':>10} {'MB':>7} {'given up':>10} "
        f"{'95 % interval':>19} {'out of fold':>12} {'run s':>7}  chosen"
    ]
    for name, found in outcomes.items():
        lost = found["given_up"]
        share = interval = "–"
        if lost is not None:
            share = _marked(f"{lost['share']:+.2%}", lost["share"] <= WORST_SHARE)
            interval = f"{lost['low']:+.2%} to {lost['high']:+.2%}"
        row = _marked(f"{found['row_us']:.0f}", found["row_us"] <= MOST_US)
        rows_per_s = _marked(f"{found['rows_per_s']:,.0f}", found["rows_per_s"] >= LEAST_ROWS_PER_S)
        size = _marked(f"{found['mb']:.2f}", found["mb"] <= MOST_MB)
        lines.append(
            f"{name:22} {row:>9} {rows_per_s:>10} {size:>7} {share:>10} {interval:>19} "
            f"{found['expected_share']:>+12.2%} {found['took_s']:>7.1f}  "
            f"{found['chosen']} ({found['models']} models, {found['measured']} measured)"
        )
    return "\n".join([*lines, "", *_goals(outcomes)])


def _marked(text: str, is_reached: bool) -> str:
    return text if is_reached else f"{text}!"


def _goals(outcomes: dict[str, dict[str, Any]]) -> list[str]:
    found = list(outcomes.values())
    shares = [one["given_up"]["share"] for one in found if one["given_up"] is not None]
    goals = [
        ("slowest row", max(one["row_us"] for one in found), "≤", MOST_US, "{:,.0f} µs"),
        ("rows/s", min(one["rows_per_s"] for one in found), "≥", LEAST_ROWS_PER_S, "{:,.0f}"),
        ("largest graph", max(one["mb"] for one in found), "≤", MOST_MB, "{:.2f} MB"),
    ]  # fmt: skip
    if shares:
        goals += [
            ("given up, median", statistics.median(shares), "≤", MEDIAN_SHARE, "{:+.2%}"),
            ("given up, worst", max(shares), "≤", WORST_SHARE, "{:+.2%}"),
        ]
    lines = []
    for what, value, sign, goal, form in goals:
        is_reached = value <= goal if sign == "≤" else value >= goal
        told = f"{what:18} {form.format(value):>12}  goal {sign} {form.format(goal)}"
        lines.append(f"{told}  {'reached' if is_reached else 'MISSED'}")
    return lines


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with catalog.csv")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--sets", default="", help="names, comma between; default: all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--again", action="store_true", help="train anew what has an outcome")
    parser.add_argument("--bundles", type=Path, help="folder of bundles that are made already")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    chosen = [name for name in asked.sets.split(",") if name]
    outcomes = {}
    for one in read_catalog(asked.data):
        if chosen and one.name not in chosen:
            continue
        print(f"{one.name}: {asked.seconds:g} s", file=sys.stderr)
        if asked.bundles is None:
            outcomes[one.name] = outcome(one, asked.seconds, asked.seed, again=asked.again)
        elif (found := made_elsewhere(one, asked.seed, asked.bundles)) is not None:
            outcomes[one.name] = found
    print(json.dumps(outcomes) if asked.json else table(outcomes))


if __name__ == "__main__":
    main()
