"""Run the systems on the sets and print the comparison; see the README beside this file."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.accuracy.compare import Judged, error, paired_interval
from benchmarks.accuracy.sets import Set, read_catalog, split

HERE = Path(__file__).parent
WORK = HERE.parent.parent / ".benchmarks"
SYSTEMS = {
    "drivetrain": ("drivetrain", ""),
    "autogluon-medium": ("autogluon", "medium_quality"),
    "autogluon-best": ("autogluon", "best_quality"),
    "flaml": ("flaml", ""),
}
PACKAGES = {
    "autogluon": ("torch==2.13.0", "autogluon.tabular[lightgbm,catboost,xgboost,fastai]==1.6.3"),
    "flaml": ("flaml[automl]==2.7.0",),
}
OVERTIME = 4.0  # a system that takes this many times its seconds is ended


def setup() -> None:
    """Make the peers' virtual environments."""
    for name, packages in PACKAGES.items():
        folder = WORK / name
        if not (folder / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        for package in packages:
            pip = [str(folder / "bin" / "pip"), "install", "-q", package]
            subprocess.run(pip, check=True)


def fingerprint() -> str:
    """Return a short hash of the machine: processor, cores, Python."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    text = f"{model} {os.cpu_count()} {platform.python_version()}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_one(system: str, one: Set, seed: int, seconds: float, *, keep: bool) -> Path | None:
    """Run a system on one split, unless its outcome is there; return its folder."""
    script, variant = SYSTEMS[system]
    folder = WORK / "accuracy" / fingerprint() / f"{seconds:g}s" / system / f"{one.name}-{seed}"
    done = folder / "outcome.json"
    if done.exists() and (system != "drivetrain" or keep):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    train, test = split(one, seed, WORK / "accuracy" / "splits")
    python = sys.executable if script == "drivetrain" else str(WORK / script / "bin" / "python")
    job = {
        "train": str(train), "test": str(test), "target": one.target, "task": one.task,
        "metric": one.metric, "seconds": seconds, "folder": str(folder), "variant": variant,
    }  # fmt: skip
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    with (folder / "log").open("w") as log:
        try:
            subprocess.run(
                [python, str(HERE / "systems" / f"with_{script}.py"), json.dumps(job)],
                check=True, stdout=log, stderr=log, env=environment,
                timeout=OVERTIME * seconds + 120,
            )  # fmt: skip
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
            print(f"  {system} failed on {one.name}, seed {seed}: {failure}", file=sys.stderr)
            return None
    return folder


def judge(folder: Path, one: Set, test: Path) -> Judged:
    """Read a system's predictions, its columns in the order of the sorted labels."""
    labels = pl.read_csv(test, infer_schema=False)[one.target].to_list()
    prediction = np.load(folder / "prediction.npy")
    if one.task == "regression":
        return Judged(np.asarray(labels, float), prediction.ravel(), one.metric)
    facts = json.loads((folder / "outcome.json").read_text())
    place = {_label(name): number for number, name in enumerate(facts["classes"])}
    ordered = sorted(place)
    y = np.asarray([ordered.index(_label(label)) for label in labels], float)
    return Judged(y, prediction[:, [place[label] for label in ordered]], one.metric)


def _label(text: str) -> str:
    return text.removesuffix(".0")


def compare(results: dict[tuple[str, int], dict[str, tuple[Judged, dict[str, Any]]]]) -> None:
    """Print the table by set, then ranks, wins, relative errors and losses."""
    ranks: dict[str, list[float]] = defaultdict(list)
    relative, losses = [], []
    for (name, seed), systems in sorted(results.items()):
        errors = {system: error(judged) for system, (judged, _) in systems.items()}
        for system in sorted(errors, key=errors.__getitem__):
            facts = systems[system][1]
            print(
                f"{name:24} seed {seed}  {system:17} error {errors[system]:.5f}  "
                f"fit {facts['fit_s']:6.1f} s  row {facts['one_row_us']:10.0f} us  "
                f"{facts['bytes'] / 1e6:8.2f} MB"
            )
        for system, value in errors.items():
            ranks[system].append(1 + sum(other < value for other in errors.values()))
        peers = {system: value for system, value in errors.items() if system != "drivetrain"}
        if "drivetrain" not in errors or not peers:
            continue
        best = min(peers, key=peers.__getitem__)
        gap = (errors["drivetrain"] - peers[best]) / max(peers[best], 1e-12)
        relative.append((name, seed, gap))
        if gap > 0:
            low, high = paired_interval(systems["drivetrain"][0], systems[best][0])
            losses.append((name, seed, best, gap, low, high))
    print()
    for system, values in sorted(ranks.items(), key=lambda item: np.mean(item[1])):
        wins = sum(value == 1 for value in values)
        print(f"{system:17} mean rank {np.mean(values):.2f}, first {wins} of {len(values)}")
    if relative:
        gaps = [gap for _, _, gap in relative]
        print(f"relative error against the best peer: median {100 * np.median(gaps):+.2f} %")
        by_set = defaultdict(list)
        for name, _, gap in relative:
            by_set[name].append(gap)
        level = sum(float(np.mean(values)) <= 0 for values in by_set.values())
        print(f"at or above the best peer on {level} of {len(by_set)} sets (mean over seeds)")
    for name, seed, best, gap, low, high in losses:
        sure = "excludes zero" if low > 0 else "holds zero"
        print(
            f"loss  {name:24} seed {seed}  to {best:17} {100 * gap:+.2f} %  "
            f"[{100 * low:+.2f}, {100 * high:+.2f}] {sure}"
        )


def main() -> None:
    """Parse, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with catalog.csv")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seeds", default="7,8,9")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--sets", default="", help="names, comma between; default: all")
    parser.add_argument("--keep", action="store_true", help="keep drivetrain's results as well")
    parser.add_argument("--setup", action="store_true", help="make the peers' environments first")
    asked = parser.parse_args()
    if asked.setup:
        setup()
    chosen = [name for name in asked.sets.split(",") if name]
    results: dict[tuple[str, int], dict[str, tuple[Judged, dict[str, Any]]]] = defaultdict(dict)
    for seed in map(int, asked.seeds.split(",")):
        for one in read_catalog(asked.data):
            if chosen and one.name not in chosen:
                continue
            for system in asked.systems.split(","):
                print(f"{one.name}, seed {seed}: {system}", file=sys.stderr)
                folder = run_one(system, one, seed, asked.seconds, keep=asked.keep)
                if folder is None:
                    continue
                _, test = split(one, seed, WORK / "accuracy" / "splits")
                facts = json.loads((folder / "outcome.json").read_text())
                results[one.name, seed][system] = (judge(folder, one, test), facts)
    compare(results)


if __name__ == "__main__":
    main()
