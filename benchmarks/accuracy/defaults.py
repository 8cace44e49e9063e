"""Which settings of LightGBM are the best first guesses, alone and blended with each other.

    python -m benchmarks.accuracy.defaults --data FOLDER [--rows 8000] [--sets A B]

fits each of ``TRIED`` on five folds of every tabular set of the folder's ``catalog.csv`` (a
category is the rank of its frequency), and prints the error on the held-out quarter beside the
first's, then which settings blend best: of each subset the mean of the members that do best out of
fold is judged.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks.accuracy.compare import Judged, error
from benchmarks.accuracy.run import WORK
from benchmarks.accuracy.sets import Set, read_catalog, split
from drivetrain.core.contract import Task
from drivetrain.models.families.lightgbm import family
from drivetrain.models.family import Budget, Validation

Array = npt.NDArray[Any]
HALF: dict[str, Any] = {"feature_fraction": 0.5, "learning_rate": 0.1}
OWN: dict[str, Any] = {"feature_fraction": 0.8, "learning_rate": 0.1, "lambda_l2": 0.0}
TRIED: dict[str, dict[str, Any]] = {
    "half of the features, 31 leaves": HALF,
    "half of the features, 15 leaves": {**HALF, "num_leaves": 15, "feature_fraction": 0.4},
    "15 leaves": {**OWN, "num_leaves": 15},
    "31 leaves": OWN,
    "7 leaves": {**OWN, "num_leaves": 7},
    "random thresholds": {**OWN, "extra_trees": True, "min_data_in_leaf": 10},
    "63 leaves, slow": {
        **OWN, "num_leaves": 63, "learning_rate": 0.05, "feature_fraction": 0.9,
        "min_data_in_leaf": 5,
    },
}  # fmt: skip
FOLDS = 5
LINK: dict[str, Callable[[Array], Array]] = {
    "binary": lambda z: np.hstack([1 - _sigmoid(z), _sigmoid(z)]),
    "multiclass": lambda z: np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True)),
    "regression": lambda z: z[:, 0],
}


@dataclass(frozen=True)
class Outcome:
    """One setting on one set: out-of-fold and held-out predictions, and seconds."""

    inside: Array
    outside: Array
    seconds: float


def _sigmoid(z: Array) -> Array:
    share: Array = 1.0 / (1.0 + np.exp(-z))
    return share


def table(one: Set, most: int) -> tuple[Array, ...]:
    """Return features and targets of both parts, categories as ranks of their frequency."""
    paths = split(one, 7, WORK / "accuracy" / "splits")
    parts = [pl.read_csv(path, infer_schema_length=None).head(most) for path in paths]
    whole = pl.concat(parts, how="vertical_relaxed")
    columns = []
    for name in whole.drop(one.target).columns:
        column = whole[name]
        if not column.dtype.is_numeric():
            text = column.cast(pl.String)
            ranks = {value: rank for rank, value in enumerate(text.value_counts(sort=True)[name])}
            column = pl.Series([ranks[value] for value in text])
        columns.append(column.cast(pl.Float32).fill_null(float("nan")).to_numpy())
    y = whole[one.target]
    target = (
        y.cast(pl.Float64).to_numpy()
        if one.task == "regression"
        else np.unique(y.cast(pl.String).to_numpy(), return_inverse=True)[1].astype(float)
    )
    X, rows = np.ascontiguousarray(np.column_stack(columns)), len(parts[0])
    return X[:rows], target[:rows], X[rows:], target[rows:]


def fitted(one: Set, parts: tuple[Array, ...], parameters: dict[str, Any]) -> Outcome:
    """Fit one setting on the folds of a set."""
    X, y, held, _ = parts
    task = cast(Task, one.task)
    kind = KFold if one.task == "regression" else StratifiedKFold
    link, began = LINK[one.task], time.monotonic()
    inside, outside = [], []
    classes = 0 if one.task == "regression" else int(y.max()) + 1
    order = []
    for fit, judge in kind(FOLDS, shuffle=True, random_state=0).split(X, y):
        model = family.fit(
            X[fit], y[fit], task=task, classes=classes, metric=one.metric, weight=None,
            validation=Validation(X[judge], y[judge], None), parameters=parameters,
            budget=Budget(remaining_s=lambda: 1e9, threads=1), seed=0,
        )  # fmt: skip
        inside.append(link(model.predict(X[judge])))
        outside.append(link(model.predict(held)))
        order.append(judge)
    place = np.argsort(np.concatenate(order))
    seconds = time.monotonic() - began
    return Outcome(np.concatenate(inside)[place], np.mean(outside, axis=0), seconds)


def blended(one: Set, parts: tuple[Array, ...], outcomes: Sequence[Outcome]) -> float:
    """Return the held-out error of the mean that does best out of fold."""

    def mean(members: Sequence[Outcome], side: str) -> Array:
        both: Array = np.mean([getattr(member, side) for member in members], axis=0)
        return both

    subsets = [c for k in range(1, len(outcomes) + 1) for c in combinations(outcomes, k)]
    best = min(subsets, key=lambda c: error(Judged(parts[1], mean(c, "inside"), one.metric)))
    return error(Judged(parts[3], mean(best, "outside"), one.metric))


def main() -> None:
    """Fit, then print what each setting and each next one brings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--sets", nargs="*", default=())
    asked = parser.parse_args()
    wanted = [s for s in read_catalog(asked.data) if not asked.sets or s.name in asked.sets]
    logs: dict[tuple[str, ...], list[float]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in TRIED}
    first = next(iter(TRIED))
    for one in wanted:
        parts = table(one, asked.rows)
        outcomes = {name: fitted(one, parts, {**given}) for name, given in TRIED.items()}
        base = np.log(blended(one, parts, [outcomes[first]]))
        for size in (1, 2, 3):
            for names in combinations(TRIED, size):
                got = blended(one, parts, [outcomes[name] for name in names])
                logs.setdefault(names, []).append(float(np.log(got) - base))
        for name, outcome in outcomes.items():
            seconds[name].append(outcome.seconds)
        print(f"{one.name}: " + ", ".join(f"{logs[(n,)][-1]:+.2%}" for n in TRIED), flush=True)
    print(f"\n{len(wanted)} sets, error beside '{first}', mean of logarithms; seconds on average")
    for name in TRIED:
        print(f"{name:34} {np.mean(logs[(name,)]):+7.2%} {np.mean(seconds[name]):6.1f} s")
    for size in (2, 3):
        ranked = sorted((k for k in logs if len(k) == size), key=lambda k: float(np.mean(logs[k])))
        for names in ranked[:4]:
            print(f"{np.mean(logs[names]):+7.2%}  {' + '.join(names)}")


if __name__ == "__main__":
    main()
