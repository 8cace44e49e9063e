"""What a system's script is given and gives back; needs numpy alone, for it runs in each venv."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One system on one split of one set."""

    train: Path
    test: Path
    target: str
    task: str
    metric: str
    seconds: float
    folder: Path
    variant: str = ""

    @staticmethod
    def clock() -> float:
        """Return wall seconds."""
        return time.perf_counter()


@dataclass(frozen=True)
class Outcome:
    """What came of it: ``prediction`` is (n,) values or (n, K) probabilities."""

    fit_s: float
    one_row_us: float
    bytes: int
    prediction: Any
    classes: list[str]
    version: str


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def time_rows(answer: Callable[[Any], Any], rows: Sequence[Any]) -> float:
    """Return the median microseconds for one row, cycling through different rows."""
    times = []
    for row in rows[:3]:
        answer(row)
    for row in rows:
        began = time.perf_counter()
        answer(row)
        times.append(time.perf_counter() - began)
    return 1e6 * statistics.median(times)


def main(run: Callable[[Job], Outcome]) -> None:
    """Read the job from the one argument, run it, write outcome.json and prediction.npy."""
    import numpy as np

    given = json.loads(sys.argv[1])
    paths = {name: Path(given[name]) for name in ("train", "test", "folder")}
    job = Job(**{**given, **paths})
    outcome = run(job)
    np.save(job.folder / "prediction.npy", np.asarray(outcome.prediction, np.float64))
    facts = {k: v for k, v in vars(outcome).items() if k != "prediction"}
    (job.folder / "outcome.json").write_text(json.dumps(facts))
