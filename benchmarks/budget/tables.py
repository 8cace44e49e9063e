"""Tables of the awkward shapes: very long, very wide, with numbers and categories, made by seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

SHAPES = {"long": (1_000_000, 50), "wide": (300, 2_000), "small": (2_000, 12)}
MISSING = 0.02  # of the cells of every fourth column
CATEGORIES = (3, 12, 60, 400)  # of the category columns, in turn


def make_table(path: Path, rows: int, columns: int, *, seed: int = 0) -> None:
    """Write a Parquet file or, by its ending, a CSV: a fifth of the inputs are categories.

    The target ``y`` is binary and hangs on a few columns of each kind, with noise.
    """
    random = np.random.default_rng(seed)
    made: dict[str, np.ndarray | pl.Series] = {}
    score = np.zeros(rows)
    for number in range(columns):
        if number % 5 == 4:
            codes = random.integers(0, CATEGORIES[number // 5 % len(CATEGORIES)], rows)
            made[f"c{number}"] = pl.Series(codes).cast(pl.String) + "_level"
            signal = (codes % 7 - 3) / 3.0
        else:
            values = random.normal(size=rows)
            if number % 4 == 0:
                values[random.random(rows) < MISSING] = np.nan
            made[f"n{number}"] = values
            signal = np.nan_to_num(values)
        if number < 10:
            score += signal * random.normal()
    made["y"] = (score + random.logistic(size=rows) > 0).astype(np.int64)
    frame = pl.DataFrame(made).fill_nan(None)
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
