"""A bundle with a column of most kinds, written without any training: for tests and benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.manifest import Lineage, Manifest, Proof
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.extras.prediction_set import PredictionSet
from drivetrain.graph.extras.ranges import Ranges
from drivetrain.graph.head import Extra
from drivetrain.graph.program import Member, Program, lower
from drivetrain.runtime.admit import admit
from drivetrain.runtime.session import Session

CATEGORIES = (*(f"level {number}" for number in range(11)), "naïve 💡")


def write_tabular_bundle(
    path: str | Path,
    *,
    numbers: int = 2,
    categories: int = 2,
    trees: int = 5,
    coverage: float | None = None,
) -> Manifest:
    """Write a bundle of random trees, each of 32 leaves, over columns of random numbers.

    Columns are ``number_0`` …, ``category_0`` …, ``flag`` (boolean) and ``time`` (datetime); the
    classes are ``no`` and ``yes``. With a coverage it answers ``set`` and ``out_of_range`` too:
    every class from a probability of 0.3 on, and a ``number_0`` beyond 5.
    """
    contract = Contract(columns=_columns(numbers, categories), target=_target())
    encoders = tuple((_encoder(column),) for column in contract.columns)
    member = Member("random", encoders, ((_trees(len(encoders), trees),),), "sigmoid")
    program = Program(contract, (member,), extras=_extras() if coverage is not None else ())
    model = lower(program)
    rows = tabular_rows(contract, 16)
    columns = admit(contract, rows).columns
    outputs = Session(model, threads=1).run(columns, len(rows))
    return write_bundle(
        path, _manifest(program, coverage), model, make_vectors(contract, rows, columns, outputs)
    )


def tabular_rows(contract: Contract, count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Make rows for the bundle, as JSON holds them, some cells missing."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        row: dict[str, Any] = {}
        for column in contract.columns:
            row[column.name] = _cell(column, random) if random.random() > 0.05 else None
        rows.append(row)
    return rows


def _cell(column: Column, random: np.random.Generator) -> Any:
    if column.kind == "number":
        return float(random.normal())
    if column.kind == "boolean":
        return bool(random.integers(2))
    if column.kind == "datetime":
        return f"20{random.integers(10, 26)}-05-17T12:00:00Z"
    return str(random.choice(CATEGORIES))


def _columns(numbers: int, categories: int) -> tuple[Column, ...]:
    return (
        *(Column(name=f"number_{index}", kind="number") for index in range(numbers)),
        *(
            Column(name=f"category_{index}", kind="category", categories=CATEGORIES)
            for index in range(categories)
        ),
        Column(name="flag", kind="boolean"),
        Column(name="time", kind="datetime"),
    )


def _target() -> Target:
    return Target(name="y", task="binary", classes=("no", "yes"), label_type="string")


def _encoder(column: Column) -> Block:
    if column.kind == "category":
        codes = np.linspace(-2, 2, len(CATEGORIES), dtype=np.float32)[:, None]
        return Lookup(column.name, "features", CATEGORIES, codes, np.full(1, 3, np.float32))
    if column.kind == "datetime":
        return MissingFlag(column.name, "features", "datetime")
    return Number(column.name, "features")


def _trees(features: int, count: int, *, depth: int = 5) -> Trees:
    """Make complete trees: nodes in heap order, so that node i has children 2i + 1 and 2i + 2."""
    random = np.random.default_rng(7)
    nodes, leaves = 2**depth - 1, 2**depth
    heap = np.arange(nodes, dtype=np.int32)
    children = [2 * heap + 1, 2 * heap + 2]
    start = np.arange(count, dtype=np.int32)
    sides = [
        np.concatenate(
            [np.where(side < nodes, side + n * nodes, ~(side - nodes + n * leaves)) for n in start]
        ).astype(np.int32)
        for side in children
    ]
    return Trees(
        feature=random.integers(features, size=count * nodes).astype(np.int32),
        threshold=random.normal(size=count * nodes).astype(np.float32).astype(np.float64),
        left=sides[0],
        right=sides[1],
        missing_left=random.random(count * nodes) < 0.5,
        roots=start * nodes,
        target=np.zeros(count, dtype=np.int32),
        leaf=random.normal(size=count * leaves) * 3 / np.sqrt(count),
        targets=1,
        base=np.zeros(1),
    )


def _extras() -> tuple[Extra, ...]:
    none: tuple[str, ...] = ()
    ranges = Ranges(
        numbers=("number_0",), low=np.array([-5.0]), high=np.array([5.0]),
        is_whole=np.zeros(1, np.bool_), vectors=none, vector_low=np.zeros(0),
        vector_high=np.zeros(0), texts=none, levels=(), times=none,
    )  # fmt: skip
    return PredictionSet(np.full(2, 0.3, np.float32)), ranges


def _manifest(program: Program, coverage: float | None) -> Manifest:
    return Manifest(
        drivetrain="0",
        name="tabular",
        contract=program.contract,
        outputs=program.head.outputs,
        metric="roc_auc",
        scorecard={},
        recipes=(),
        proof=Proof(rows=0, adversarial_rows=0, max_abs_diff=0.0, tolerance=1e-5, label_flips=0),
        lineage=Lineage(
            data_fingerprint="",
            rows=0,
            source="random",
            settings={} if coverage is None else {"coverage": coverage},
            packages={},
            python="",
            seed=0,
        ),
    )
