"""The tabular sets of a folder with a catalog, split the same way for every system."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.model_selection import train_test_split

METRIC_OF = {"binary": "auc", "multiclass": "log_loss", "regression": "rmse"}
OFFICIAL_SPLIT = "split"  # a column that some sets carry: it is no feature


@dataclass(frozen=True)
class Set:
    """One data set: where it is, what is predicted, what is left out for a fair score."""

    name: str
    file: Path
    task: str
    target: str
    drop: tuple[str, ...]

    @property
    def metric(self) -> str:
        """The metric that is asked for and judged by."""
        return METRIC_OF[self.task]


def read_catalog(folder: Path, kinds: Sequence[str] = ("tabular",)) -> list[Set]:
    """List the sets of a folder that are of these kinds."""
    with (folder / "catalog.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in kinds]
    return [
        Set(
            name=row["name"],
            file=folder / row["file"],
            task=row["task"],
            target=row["target"],
            drop=tuple(name for name in row["drop_columns"].split(";") if name),
        )
        for row in rows
    ]


def split(one: Set, seed: int, folder: Path) -> tuple[Path, Path]:
    """Write train.csv and test.csv of one holdout and return their paths."""
    train, test = folder / f"{one.name}-{seed}-train.csv", folder / f"{one.name}-{seed}-test.csv"
    if not test.exists():
        frame = _read(one.file)
        drop = [name for name in (*one.drop, OFFICIAL_SPLIT) if name in frame.columns]
        frame = frame.drop(drop).filter(pl.col(one.target).cast(pl.String).fill_null("") != "")
        y = frame[one.target].to_numpy()
        fitted, judged = train_test_split(
            np.arange(len(y)), test_size=0.25, random_state=seed,
            stratify=None if one.task == "regression" else y.astype(str),
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        frame[np.sort(fitted)].sample(fraction=1.0, shuffle=True, seed=seed).write_csv(train)
        frame[judged].write_csv(test)
    return train, test


def _read(file: Path) -> pl.DataFrame:
    if file.suffix == ".parquet":
        return pl.read_parquet(file)
    return pl.read_csv(file, infer_schema=False)
