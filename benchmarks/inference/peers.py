"""What a row costs beside the library that trained the model, and beside compiled tree engines.

    python -m benchmarks.inference.peers [--threads 1] [--only lightgbm torch …] [--no-goals]

Adult income with all its 14 mixed columns. Rows are 100,000 different ones, made by drawing two
columns anew; single rows cycle through 1,000 of them. Compiled engines live in a venv of their own,
``.benchmarks/engines``, which is made where it is not there.

Every figure has its goal beside it. Other languages are proved by
``DRIVETRAIN_PROVE=1 pytest tests/integration/test_javascript.py``.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from onnx import TensorProto

from benchmarks.inference.libraries import PAIRS, Pair, open_model
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.features.vocabulary import find_vocabulary
from drivetrain.graph.block import GraphBuilder
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.number import Vector
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.model import make_model, tensor
from drivetrain.graph.program import Member, Program, lower
from drivetrain.graph.run import open_session
from drivetrain.runtime.session import Session

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "examples" / "adult_income.csv.gz"
ENGINES = ROOT / ".benchmarks" / "engines"
# llvmlite 0.45 and later lack what lleaves 1.3.0 calls
ENGINE_PACKAGES = ("tl2cgen", "treelite", "lleaves", "llvmlite<0.45", "lightgbm", "scipy")
BATCH_ROWS, SINGLE_ROWS, FIT_ROWS = 100_000, 1_000, 30_000


def read_rows(count: int = BATCH_ROWS) -> tuple[pd.DataFrame, Any, pd.DataFrame]:
    """Return rows to fit, their labels, and the rows of a batch."""
    whole = pd.read_csv(DATA).drop(columns="split")
    whole = whole.fillna("").astype(dict.fromkeys(whole.select_dtypes("str"), object))
    random = np.random.default_rng(0)
    rows = whole.iloc[random.integers(0, len(whole), count)].reset_index(drop=True)
    for name in ("fnlwgt", "hours_per_week"):
        rows[name] = random.permutation(rows[name].to_numpy())
    fitted = whole.head(FIT_ROWS)
    return fitted.drop(columns="income"), fitted["income"].to_numpy(), rows.drop(columns="income")


def one_us(call: Callable[[Any], Any], rows: Sequence[Any], limit_s: float = 3.0) -> float:
    """Median microseconds of a call, each with another row."""
    for row in rows[:20]:
        call(row)
    times: list[float] = []
    end = time.perf_counter() + limit_s
    for row in rows:
        began = time.perf_counter()
        call(row)
        times.append(time.perf_counter() - began)
        if began > end:
            break
    return 1e6 * statistics.median(times)


def batch_us(call: Callable[[], Any], rows: int, repeats: int = 3) -> float:
    """Microseconds for a row of a batch, the best of some."""
    best = math.inf
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return 1e6 * best / rows


def compare(pair: Pair, rows: pd.DataFrame, threads: int) -> dict[str, float]:
    """Time a pair; all four of one kind on the same rows."""
    model = pair.open(threads)
    singles = rows.head(SINGLE_ROWS)
    frames = [singles.iloc[[row]] for row in range(len(singles))]
    matrix = pair.matrix(singles)
    dicts = pl.from_pandas(singles).to_dicts()
    polars, whole = pl.from_pandas(rows), pair.matrix(rows)
    theirs = np.asarray(pair.usual(singles), np.float64)[:, -1]
    ours = model.predict_proba(pl.from_pandas(singles))[:, -1]
    if pair.name == "torch net":
        theirs = 1.0 / (1.0 + np.exp(-theirs))
    return {
        "ours_one": one_us(model.predict_proba, dicts),
        "fastest_one": one_us(pair.fastest, [matrix[r : r + 1] for r in range(len(matrix))]),
        "usual_one": one_us(pair.usual, frames),
        "ours_batch": batch_us(lambda: model.predict_proba(polars), len(rows)),
        "pandas_batch": batch_us(lambda: model.predict_proba(rows), len(rows)),
        "fastest_batch": batch_us(lambda: pair.fastest(whole), len(rows)),
        "usual_batch": batch_us(lambda: pair.usual(rows), len(rows)),
        "difference": float(np.max(np.abs(theirs - ours))),
    }


def print_pair(pair: Pair, found: dict[str, float]) -> None:
    """Print a line of the table."""
    single = found["usual_one"] / found["ours_one"]
    batch = found["usual_batch"] / found["ours_batch"]
    goals = f"goals {pair.least_single:.0f}x" + (
        f", {pair.least_batch:.0f}x" if pair.least_batch else ", gap to its own evaluator printed"
    )
    print(
        f"{pair.name:<25} {found['ours_one']:>8.1f} {found['fastest_one']:>9.1f} "
        f"{found['usual_one']:>8.0f} {single:>6.1f}x  {found['ours_batch']:>8.2f} "
        f"{found['pandas_batch']:>8.2f} {found['fastest_batch']:>9.2f} "
        f"{found['usual_batch']:>8.2f} {batch:>6.2f}x "
        f"{found['ours_batch'] / found['fastest_batch']:>7.1f}x  {found['difference']:.0e}  "
        f"{goals}",
        flush=True,
    )


def compiled(pair: Pair, rows: pd.DataFrame, threads: int) -> None:
    """Print compiled engines beside our graph of the same trees and the same ready matrix."""
    python = made_engines()
    X = pair.matrix(rows)
    trees = trees_alone(pair)
    singles = [{"X": X[row : row + 1]} for row in range(SINGLE_ROWS)]
    one = one_us(lambda row: trees.run(None, row), singles)
    title = f"{pair.trees} trees of 31 leaves, ready matrix"
    print(f"\n{title:<35} {'one row us':>12} {'batch us':>10} {'ns a tree':>10}")
    with tempfile.TemporaryDirectory() as folder:
        model, matrix = Path(folder) / "model.txt", Path(folder) / "X.npy"
        model.write_text(pair.text)
        np.save(matrix, X)
        command = [python, Path(__file__).parent / "compiled.py", model, matrix, str(threads)]
        run = subprocess.run(
            [*map(str, command), str(ENGINES / "cache")], capture_output=True, text=True, check=True
        )
    found = json.loads(run.stdout.splitlines()[-1])
    ours = {"one_us": one, "batch_us": batch_us(lambda: trees.run(None, {"X": X}), len(X))}
    for name, figures in {"our graph's trees": ours, **found}.items():
        if "error" in figures:
            print(f"{name:<35} {figures['error']}")
            continue
        note = f"  compiled in {figures['compile_s']:.0f} s" if "compile_s" in figures else ""
        print(
            f"{name:<35} {figures['one_us']:>12.1f} {figures['batch_us']:>10.2f} "
            f"{1000 * figures['batch_us'] / pair.trees:>10.1f}{note}"
        )
    print("goal: one row faster than the compiled engines")


def made_engines() -> Path:
    """Return the Python that has the engines; its venv is made once."""
    python, whole = ENGINES / "bin" / "python", ENGINES / ".installed"
    if not whole.exists():
        print(f"making {ENGINES.relative_to(ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", ENGINES], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *ENGINE_PACKAGES]
        subprocess.run(install, check=True)
        whole.touch()
    return python


def trees_alone(pair: Pair) -> Any:
    """Open a graph from the matrix to the margin; one thread, as in all that we serve."""
    graph = GraphBuilder(reserved=frozenset({"X"}))
    margin = graph.lower(pair.blocks, {"X": "X"}, "trees")["margin"]
    inputs = [tensor("X", TensorProto.FLOAT, "features")]
    return open_session(make_model(graph, inputs, [tensor(margin, TensorProto.DOUBLE, 1)]))


def goals(trees: Callable[[int], Pair], rows: pd.DataFrame, count: int) -> None:
    """Print the absolute goals: mixed columns, text, load."""
    print("\nabsolute goals, one thread                             measured   goal")
    dicts = pl.from_pandas(rows.head(SINGLE_ROWS)).to_dicts()
    pair = trees(count)
    took = one_us(pair.open(1).predict_proba, dicts)
    print(f"one row, 14 mixed columns, {count} trees of 31, p50     {took:>8.1f} us  60 us")
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 100)) for _ in range(SINGLE_ROWS)]
    text = text_model(texts)
    took = one_us(text.predict_proba, [{"note": one} for one in texts])
    print(f"one row, a text of 100 words, linear on 1,000 words    {took:>8.1f} us  150 us")
    blocks = Trees.average(
        [one for one in pair.blocks if isinstance(one, Trees)] * (5_000 // count)
    )
    model = lower(matrix_program(blocks))
    best = min(_seconds(lambda: Session(model, threads=1)) for _ in range(3))
    print(
        f"session load, {blocks.tree_count} trees of 31                      {best:>8.3f} s   0.3 s"
    )


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


WORDS = np.array([f"word{number}" for number in range(3_000)])


def text_model(texts: list[str]) -> Any:
    """Make a linear model on 1,000 words of one text column, as the encoder chooses them."""
    column = Column(name="note", kind="text")
    target = Target(name="y", task="binary", classes=("a", "b"), label_type="string")
    contract = Contract(columns=(column,), target=target)
    random = np.random.default_rng(0)
    words = find_vocabulary(np.array(texts, object), limit=1000, pairs=0, min_count=1)
    block = Linear(random.normal(size=(1000, 1)), np.zeros(1))
    encoders = ((words.block("note", "features"),),)
    model = lower(Program(contract, (Member("m", encoders, ((block,),), "sigmoid"),)))
    return open_model(model, contract, 1)


def matrix_program(trees: Trees) -> Program:
    """Make a program of one vector column, which is the trees' matrix."""
    width = int(trees.feature.max()) + 1
    column = Column(name="X", kind="vector", width=width)
    target = Target(name="y", task="binary", classes=("a", "b"), label_type="string")
    member = Member("m", ((Vector("X", "features"),),), ((trees,),), "sigmoid")
    return Program(Contract(columns=(column,), target=target), (member,))


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trees", type=int, default=1_000)
    parser.add_argument("--only", nargs="+", choices=list(PAIRS), default=list(PAIRS))
    parser.add_argument("--rows", type=int, default=BATCH_ROWS, help="rows of a batch")
    parser.add_argument("--no-goals", action="store_true", help="leave the absolute goals out")
    options = parser.parse_args()
    X, y, rows = read_rows(options.rows)
    print(
        f"threads {options.threads}; one row: ours from a dict, theirs from a ready matrix and a "
        "pandas row; batches: ours from Polars and pandas, theirs from the matrix and pandas; us"
    )
    print(
        f"{'':<25} {'ours':>8} {'fastest':>9} {'usual':>8} {'gain':>7}  {'ours':>8} {'pandas':>8} "
        f"{'fastest':>9} {'usual':>8} {'gain':>7} {'to fastest':>8}  largest difference"
    )
    for name in options.only:
        pair = PAIRS[name](X, y, trees=options.trees, threads=options.threads)
        print_pair(pair, compare(pair, rows, options.threads))
        if name == "lightgbm":
            compiled(pair, rows, options.threads)
    if options.no_goals:
        return
    goals(lambda count: PAIRS["lightgbm"](X, y, trees=count, threads=1), rows, options.trees)


if __name__ == "__main__":
    main()
