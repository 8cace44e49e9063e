"""Measure what a bundle costs to serve: one row, a batch, a fresh process.

Run it as ``python benchmarks/inference/run.py BUNDLE [--data FILE] [--json]``. Rows come from the
file, or without one from the bundle's own vectors, their cells dealt anew so that no two rows are
alike: the same row again and again would be two to three times too fast, since the processor's
branch predictor learns its way through the trees. A batch repeats rows only where the file has
fewer than it takes, and its figure is then too good: sorted copies are neighbours.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from drivetrain.data.read import read_table
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model

BATCH_ROWS = 100_000
DIFFERENT_ROWS = 2_000
FRESH = """
import json, sys, time
began = time.perf_counter()
from drivetrain.runtime.model import Model
imported = time.perf_counter()
model = Model.load(sys.argv[1])
loaded = time.perf_counter()
model.predict(json.loads(sys.argv[2]))
print(json.dumps([imported - began, loaded - imported, time.perf_counter() - loaded]))
"""


def dealt_rows(path: Path, count: int) -> list[dict[str, Any]]:
    """Make rows by drawing each cell from the bundle's vectors."""
    seen = json.loads(read_bundle(path).vectors)["rows"]
    draw = random.Random(0)
    return [{name: draw.choice(seen)[name] for name in seen[0]} for _ in range(count)]


def rows_of(path: Path, data: Path | None, model: Model) -> list[dict[str, Any]]:
    """Give different rows of plain Python values, from a file or from the vectors."""
    if data is None:
        return dealt_rows(path, BATCH_ROWS)
    frame = read_table(data).frame
    names = [name for name in model.contract.names if name in frame.columns]
    some = frame.select(names).sample(min(frame.height, BATCH_ROWS), seed=0)
    # as JSON would bring them: a column of numbers as numbers
    typed = pl.read_csv(some.write_csv().encode(), infer_schema_length=None)
    return typed.to_dicts()


def one_row(call: Callable[[Any], Any], rows: list[Any], seconds: float) -> dict[str, float]:
    """Time calls for some seconds, each with another row: microseconds."""
    for row in rows[:200]:
        call(row)
    times = []
    end = time.perf_counter() + seconds
    number = 0
    while time.perf_counter() < end:
        row = rows[number % len(rows)]
        number += 1
        began = time.perf_counter_ns()
        call(row)
        times.append((time.perf_counter_ns() - began) / 1000)
    times.sort()
    return {
        "p50_us": statistics.median(times),
        "p99_us": times[int(0.99 * len(times))],
        "min_us": times[0],
    }


def rows_per_s(call: Callable[[Any], Any], frame: pl.DataFrame, repeats: int = 5) -> float:
    """Time a whole frame some times and return the best rate."""
    best = min(timed(lambda: call(frame)) for _ in range(repeats))
    return frame.height / best


def timed(call: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def fresh_process(path: Path, row: dict[str, Any], repeats: int = 5) -> dict[str, float]:
    """Milliseconds to import, to load and to predict first, the fastest of some fresh processes."""
    command = [sys.executable, "-c", FRESH, str(path), json.dumps(row, default=str)]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        for _ in range(repeats)
    ]
    imported, loaded, predicted = min(runs, key=sum)
    return {
        "import_ms": 1000 * imported,
        "load_ms": 1000 * loaded,
        "first_prediction_ms": 1000 * predicted,
        "all_ms": 1000 * (imported + loaded + predicted),
    }


def measure(path: Path, data: Path | None, seconds: float) -> dict[str, Any]:
    """Measure everything for one bundle."""
    model = Model.load(path, threads=1)
    rows = rows_of(path, data, model)
    admitted = [model.admit(row).columns for row in rows[:DIFFERENT_ROWS]]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    frame = pl.concat([frame] * -(-BATCH_ROWS // frame.height)).head(BATCH_ROWS)
    columns = model.admit(frame).columns
    both = Model.load(path, threads=2)
    predict = model.predict_proba if len(model.classes) else model.predict
    predict_both = both.predict_proba if len(model.classes) else both.predict
    return {
        "one row, dict": one_row(predict, rows, seconds),
        "one row, admit only": one_row(model.admit, rows, seconds),
        "one row, graph only": one_row(model.run, admitted, seconds),
        "batch from Polars, rows/s": {
            "1 thread": rows_per_s(predict, frame),
            "2 threads": rows_per_s(predict_both, frame),
            "admit only": rows_per_s(model.admit, frame),
            "graph only, 1 thread": rows_per_s(lambda _: model.run(columns), frame),
            "graph only, 2 threads": rows_per_s(lambda _: both.run(columns), frame),
        },
        "fresh process": fresh_process(path, rows[0]),
    }


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, help="rows to score instead of the vectors'")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each one-row timing")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.bundle, arguments.data, arguments.seconds)
    if arguments.json:
        print(json.dumps(found))
        return
    for what, figures in found.items():
        print(f"{what:<28}" + "  ".join(f"{name} {value:,.1f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
