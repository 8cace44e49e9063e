"""Compare what bundles cost to serve, in turns, so that other load on the machine hits all alike.

    python benchmarks/inference/compare.py BEFORE AFTER [--data FILE]

Times are CPU time of the calling thread: medians and minima over rounds, each of 200 calls with a
different row each, or of one batch. The first bundle's probabilities are compared with the others'.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))
from run import rows_of

from drivetrain.runtime.model import Model

CALLS, BATCH_ROWS = 200, 8_192


def cpu_us(call: Callable[[], object]) -> float:
    """Microseconds of CPU time that a call takes."""
    began = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - began) / 1000


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, help="rows to score instead of the vectors'")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    models = {path: Model.load(path, threads=1) for path in arguments.bundles}
    first = models[arguments.bundles[0]]
    rows = rows_of(arguments.bundles[0], arguments.data, first)
    frame = pl.DataFrame(rows, infer_schema_length=None)
    frame = pl.concat([frame] * -(-BATCH_ROWS // frame.height)).head(BATCH_ROWS)
    expected = first.run(first.admit(frame).columns)
    one: dict[Path, list[float]] = {path: [] for path in models}
    many: dict[Path, list[float]] = {path: [] for path in models}
    for number in range(arguments.rounds):
        some = [rows[(number * CALLS + place) % len(rows)] for place in range(CALLS)]
        for path, model in models.items():
            call = model.predict_proba if len(model.classes) else model.predict
            one[path].append(cpu_us(lambda: [call(row) for row in some]) / CALLS)  # noqa: B023
        if number % 5 == 0:
            for path, model in models.items():
                many[path].append(cpu_us(lambda: model.predict(frame)) / BATCH_ROWS)  # noqa: B023
    for path, model in models.items():
        made = model.run(model.admit(frame).columns)
        same = all(np.array_equal(made[name], expected[name]) for name in expected)
        print(
            f"{path}: one row {statistics.median(one[path]):.1f} us, least {min(one[path]):.1f}; "
            f"a row of a batch {statistics.median(many[path]):.2f} us, least "
            f"{min(many[path]):.2f}; answers {'equal' if same else 'DIFFER'}"
        )


if __name__ == "__main__":
    main()
