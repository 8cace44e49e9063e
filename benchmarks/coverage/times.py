"""What each output adds to a row's time: graphs with and without it, in turn, on the same rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.coverage.outcome import model_of

ROWS, ROUNDS = 200, 12
BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Times:
    """Microseconds of one row: alone from a dict, and in a batch of typed columns."""

    row_us: float
    batch_us: float


def take_times(folder: Path, test_file: Path) -> dict[str, Times]:
    """Time the graphs of a folder, one thread: the median over rows of each row's least."""
    models = {file.stem: model_of(folder, file.read_bytes()) for file in folder.glob("*.onnx")}
    rows = pl.read_csv(test_file, n_rows=ROWS, infer_schema_length=None).to_dicts()
    alone = {name: np.full(len(rows), np.inf) for name in models}
    for _ in range(ROUNDS):
        for name, model in models.items():
            for number, row in enumerate(rows):
                began = time.perf_counter_ns()
                model.predict_all(row)
                took = (time.perf_counter_ns() - began) / 1e3
                alone[name][number] = min(alone[name][number], took)
    frame = pl.read_csv(test_file, n_rows=BATCH_ROWS, infer_schema=False)
    columns = next(iter(models.values())).admit(frame).columns
    batch = dict.fromkeys(models, np.inf)
    for _ in range(3):
        for name, model in models.items():
            began = time.perf_counter_ns()
            model.run(columns)
            took = (time.perf_counter_ns() - began) / 1e3 / frame.height
            batch[name] = min(batch[name], took)
    return {name: Times(float(np.median(alone[name])), batch[name]) for name in models}
