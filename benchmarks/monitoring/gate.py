"""Measure the gate of ``compare``: how often it promotes noise, and how often a real gain.

    python -m benchmarks.monitoring.gate [--trials 200] [--rows 4000] [--data FILE]

A/A: champion and challenger are the same LightGBM recipe on the same rows with other seeds.
Planted: the champion has not been given one column; the mean gain that this makes is printed beside
how often it is promoted. Both are judged on rows of Adult that neither has learned from, another
sample each time, by the gate's own comparison (quality and slices; costs are alike).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl

from drivetrain.core.arrays import FloatMatrix
from drivetrain.data.infer import infer_contract
from drivetrain.data.read import Table
from drivetrain.evaluate.answers import Answers
from drivetrain.evaluate.comparison import Sides, compare_answers
from drivetrain.runtime.admit import admit, admit_target
from drivetrain.stats.metrics import find_metric

LEARNED = 6000
PLANTED = ("capital_gain", "education_num")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "adult_income.csv.gz"


def chances(X: FloatMatrix, y: np.ndarray, asked: FloatMatrix, seed: int) -> Answers:
    """Fit the recipe under a seed, and answer rows."""
    settings = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "verbosity": -1,
                "feature_fraction": 0.7, "bagging_fraction": 0.7, "bagging_freq": 1, "seed": seed,
                "num_threads": 1}  # fmt: skip
    model = lgb.train(settings, lgb.Dataset(X, y), num_boost_round=60)
    p = np.asarray(model.predict(asked))
    return Answers(values=(p >= 0.5).astype(float), probabilities=np.column_stack([1 - p, p]))


def main() -> int:
    """Print the shares; exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--data", type=Path, default=EXAMPLE)
    options = parser.parse_args()
    began = time.monotonic()
    frame = pl.read_csv(options.data).drop("split", "education")
    target = "income"
    contract, _ = infer_contract(Table(frame, "adult"), target)
    columns = admit(contract, frame.drop(target)).columns
    y = admit_target(contract.target, frame[target])
    X = np.column_stack([
        np.unique(v.astype(str), return_inverse=True)[1] if v.dtype == object else v
        for v in columns.values()
    ]).astype(float)  # fmt: skip
    auc, found = find_metric("auc"), {}
    for name in ("same", *PLANTED):
        blind = np.delete(X, contract.names.index(name), axis=1) if name in PLANTED else X
        trials = options.trials if name == "same" else max(10, options.trials // 4)
        gains, promoted, outcomes = [], 0, {}
        for trial in range(options.first, options.first + trials):
            order = np.random.default_rng(trial).permutation(len(y))
            learn, judge = order[:LEARNED], order[LEARNED : LEARNED + options.rows]
            old = chances(blind[learn], y[learn], blind[judge], seed=2 * trial)
            new = chances(X[learn], y[learn], X[judge], seed=2 * trial + 1)
            paired = compare_answers(
                Sides(y[judge], old, new), contract, {n: v[judge] for n, v in columns.items()},
                metric=auc, seed=trial,
            )  # fmt: skip
            gains.append(paired.difference.gain)
            outcomes[paired.outcome] = outcomes.get(paired.outcome, 0) + 1
            promoted += paired.outcome == "better" and not paired.worse_parts
        found[name] = {
            "trials": trials, "rows": options.rows,
            "mean_gain_auc": round(float(np.mean(gains)), 5),
            "promoted": promoted, "share": round(promoted / trials, 4), "outcomes": outcomes,
        }  # fmt: skip
    missed = ["A/A over 5 %"] * (found["same"]["share"] > 0.05)
    missed += [f"planted {name} under 80 %" for name in PLANTED if found[name]["share"] < 0.8]
    report = {**found, "missed": missed, "elapsed_s": round(time.monotonic() - began, 1)}
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
