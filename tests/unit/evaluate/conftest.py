"""A small fitted program over every kind of column, with its libraries' own answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from drivetrain.core.arrays import Columns, Features
from drivetrain.core.contract import Column, Contract, Target, Task
from drivetrain.evaluate.adversarial import adversarial_columns, threshold_rows
from drivetrain.evaluate.library_answers import MemberAnswers
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.join import Join
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.program import Member, Program
from drivetrain.graph.run import run_blocks
from drivetrain.models.families.lightgbm import family as lightgbm
from drivetrain.models.families.linear import family as linear
from drivetrain.models.family import Budget, Family, Fitted

TREE_PARAMETERS = {"rounds": 12, "num_leaves": 6, "min_data_in_leaf": 5, "learning_rate": 0.3}
HELD_OUT = 80


@dataclass(frozen=True)
class Example:
    """What ``prove`` takes."""

    program: Program
    answers: dict[str, MemberAnswers]
    held_out: Columns
    adversarial: Columns
    scale: float


def contract_of(task: Task) -> Contract:
    classes = {"binary": ("no", "yes"), "multiclass": ("3", "7", "11"), "regression": ()}[task]
    label = {"binary": "string", "multiclass": "int", "regression": "float"}[task]
    return Contract(
        columns=(
            Column(name="age", kind="number", low=-3.0, high=3.0),
            Column(name="X", kind="number", low=-3.0, high=3.0),
            Column(name="city", kind="category", categories=("Bern", "Genf", "Zürich")),
            Column(name="since", kind="datetime", low=0, high=1.6e15),
            Column(name="note", kind="text"),
            Column(name="unused", kind="boolean"),
        ),
        target=Target(name="y", task=task, classes=classes, label_type=label),
    )


def columns_of(rows: int, seed: int) -> Columns:
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(2, rows))
    numbers[0, random.random(rows) < 0.15] = np.nan
    pick = random.integers(0, 4, rows)
    return {
        "age": numbers[0],
        "X": numbers[1],
        "city": np.array(["Bern", "Genf", "Zürich", ""], dtype=object)[pick],
        "since": random.integers(0, 1_600_000_000_000_000, rows),
        "note": np.array(["good, very good", "bad", "", "gut é"], dtype=object)[
            random.integers(0, 4, rows)
        ],
        "unused": random.integers(0, 2, rows).astype(np.float64),
    }


def tree_encoders() -> tuple[tuple[Block, ...], ...]:
    codes = Lookup(
        "city",
        "features",
        ("Bern", "Genf", "Zürich", ""),
        np.array([[0], [1], [2], [np.nan]], np.float32),
        np.array([-1], np.float32),
    )
    cross = Lookup(
        "joined",
        "features",
        ("Bern\x1fbad", "Genf\x1fbad"),
        np.array([[0.3], [0.7]], np.float32),
        np.array([0.5], np.float32),
    )
    words = Words("note", "features", ("bad", "good"), np.array([1.5, 1.2], np.float32))
    return (
        (Number("age", "features"),),
        (Number("X", "features"),),
        (codes,),
        (DatetimeParts("since", "features", ("year", "weekday", "hour_sin")),),
        (words,),
        (Join(("city", "note"), "joined"), cross),
    )


def linear_encoders() -> tuple[tuple[Block, ...], ...]:
    one_hot = Lookup(
        "city",
        "features",
        ("Bern", "Genf", "Zürich"),
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
    )
    flagged = (
        Number("age", "scaled", 0.1, 0.9, -8.0, 8.0, 0.0),
        MissingFlag("age", "flag", "number"),
        Concat(("scaled", "flag"), "features"),
    )
    return (flagged, (Number("X", "features", 0.0, 1.0, -8.0, 8.0, 0.0),), (one_hot,))


def features_of(encoders: tuple[tuple[Block, ...], ...], columns: Columns) -> Features:
    made = [run_blocks(blocks, columns, ["features"])["features"] for blocks in encoders]
    return np.concatenate(made, axis=1)


def y_of(columns: Columns, task: Task, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(columns["X"]))
    age = np.nan_to_num(columns["age"], nan=1.0)
    bad = np.array(["bad" in note for note in columns["note"]], float)
    signal = age + (columns["city"] == "Bern") * columns["X"] - bad + 0.3 * noise
    if task == "regression":
        return 1e4 * signal + 2e5
    if task == "binary":
        return (signal > 0).astype(float)
    return np.digitize(signal, [-0.5, 0.7]).astype(float)


def fit(family: Family, X: Features, y: np.ndarray, task: Task, seed: int) -> Fitted:
    half = np.arange(len(X)) % 2 == seed % 2
    return family.fit(
        X[half],
        y[half],
        task=task,
        classes={"binary": 2, "multiclass": 3, "regression": 0}[task],
        metric="rmse" if task == "regression" else "log_loss",
        weight=None,
        validation=None,
        parameters=TREE_PARAMETERS if family is lightgbm else {},
        budget=Budget(remaining_s=lambda: math.inf),
        seed=seed,
    )


def make_example(task: Task) -> Example:
    training, held_out = columns_of(300, 1), columns_of(HELD_OUT, 2)
    contract = contract_of(task)
    adversarial = adversarial_columns(contract, training, 250, seed=3)
    judged = {name: np.concatenate([held_out[name], adversarial[name]]) for name in held_out}
    y = y_of(training, task, 4)
    members, answers = [], {}
    plans = (("trees", lightgbm, tree_encoders(), 0.6), ("linear", linear, linear_encoders(), 0.4))
    for name, family, encoders, weight in plans:
        X, judged_X = features_of(encoders, training), features_of(encoders, judged)
        fits = [fit(family, X, y, task, seed) for seed in (0, 1)]
        edges = [threshold_rows(each.blocks(), X[:5], seed=5) for each in fits]
        members.append(
            Member(name, encoders, tuple(each.blocks() for each in fits), fits[0].link, weight)
        )
        answers[name] = MemberAnswers(
            X=judged_X,
            margins=tuple(each.predict(judged_X) for each in fits),
            edges=tuple((rows, each.predict(rows)) for each, rows in zip(fits, edges, strict=True)),
        )
    program = Program(contract, tuple(members))
    return Example(program, answers, held_out, adversarial, float(np.std(y)))


@pytest.fixture(scope="session")
def example() -> Callable[[Task], Example]:
    """A function from a task to its example, fitted once."""
    made: dict[Task, Example] = {}

    def get(task: Task) -> Example:
        if task not in made:
            made[task] = make_example(task)
        return made[task]

    return get
