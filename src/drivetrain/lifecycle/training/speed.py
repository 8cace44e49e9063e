"""How fast a bundle answers, measured on real rows of the holdout."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from drivetrain.core.machine import cores
from drivetrain.lifecycle.training.settings import LatencyResult
from drivetrain.runtime.alike import FEWEST_ROWS
from drivetrain.runtime.model import Model

if TYPE_CHECKING:
    import polars as pl

SINGLE_ROWS = 300  # different rows, one at a time
BATCH_ROWS = 20_000
FEW_ROWS = 200  # from which the speed is guessed
LIMIT_S = 2.0  # for each of the two; a slow model is measured on less
SHARE = 0.02  # of a run's time limit, for each of the two


def measure(model: Model, frame: pl.DataFrame, limit_s: float = LIMIT_S) -> LatencyResult:
    """Time one row at a time as a dict of Python values, and a batch as a Polars frame.

    Parameters
    ----------
    frame
        Raw cells, at least one row. Rows are repeated where there are too few of them.
    limit_s
        What each of the two may take.
    """
    return measure_both(model, frame, limit_s)[0]


def measure_both(
    model: Model, frame: pl.DataFrame, limit_s: float = LIMIT_S
) -> tuple[LatencyResult, float]:
    """Time as :func:`measure` does, and guess the rows/s of a machine that does nothing else.

    The guess is by the work of this process, shared by the model's threads.
    """
    rows = frame.head(SINGLE_ROWS).to_dicts()
    model.predict(rows[0])
    taken_us = []
    began = time.perf_counter()
    for number in range(SINGLE_ROWS):
        row = rows[number % len(rows)]
        start = time.perf_counter()
        model.predict(row)
        now = time.perf_counter()
        taken_us.append(1e6 * (now - start))
        if now - began > limit_s:
            break
    rows_per_s, free = _rows_per_s(model, frame, limit_s)
    return LatencyResult(single_row_p50_us=float(np.median(taken_us)), rows_per_s=rows_per_s), free


def _rows_per_s(model: Model, frame: pl.DataFrame, limit_s: float) -> tuple[float, float]:
    """Return the best of three batches, by the clock and by the work.

    The others measure what else the machine did.
    """
    import polars as pl

    small = frame.head(FEW_ROWS)
    model.predict(small)
    start = time.perf_counter()
    model.predict(small)
    guess = small.height / (time.perf_counter() - start)
    wanted = min(BATCH_ROWS, max(small.height, int(guess * limit_s / 3)))
    known = frame.head(wanted)
    # copies of a row are neighbours once a batch is sorted, and would flatter: so none are sorted
    rows = max(known.height, min(wanted, FEWEST_ROWS - 1))
    batch = pl.concat([known] * -(-rows // known.height)).head(rows)
    best = free = 0.0
    for _ in range(3):
        start, worked = time.perf_counter(), time.process_time()
        model.predict(batch)
        best = max(best, batch.height / (time.perf_counter() - start))
        work_s = max(time.process_time() - worked, 1e-6)
        free = max(free, batch.height * cores() / work_s)
    return best, free
