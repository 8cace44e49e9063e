"""What an explanation costs: ``python -m benchmarks.explain.run BUNDLE --data TABLE``.

Prints, for one row, the time and the largest standard error of its Shapley values by the number of
background rows; and the time of importance and dependence over the whole table.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import drivetrain as dt
from drivetrain.data.read import read_table
from drivetrain.runtime.explain.quantity import quantity_of, rows_of
from drivetrain.runtime.explain.shapley import shapley_values

REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    parser.add_argument("--data", required=True)
    given = parser.parse_args()
    model = dt.load(given.bundle)
    columns = model.admit(read_table(given.data).frame.head(5000)).columns
    target = model.contract.target
    quantity = quantity_of(model, target, target.classes[1] if target.classes else None)
    row = rows_of(columns, np.arange(4999, 5000))
    print(f"{len(columns)} columns\nbackground  graph rows      s   CPU s  largest error")
    for background in (64, 256, 1024):
        some = rows_of(columns, np.arange(background))
        walls, cpus = [], []
        for _ in range(REPEATS):
            wall, cpu = time.perf_counter(), time.process_time()
            found = shapley_values(quantity, row, some)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        asked = 2 * background * (len(columns) - 1)
        error = max(each.error for each in found.columns)
        print(f"{background:10}  {asked:10,}  {min(walls):5.3f}  {min(cpus):6.3f}  {error:13.4f}")
    whole = dt.explain(given.bundle, given.data)
    print(f"importance and dependence of {whole.rows:,} rows: {whole.elapsed_s:.1f} s")


if __name__ == "__main__":
    main()
