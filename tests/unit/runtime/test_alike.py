"""A batch is sorted so that rows that are alike are neighbours, and no answer changes by it."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.graph.alike import FEWEST_STEPS
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.program import Member, Program, lower
from drivetrain.runtime import session as session_module
from drivetrain.runtime.alike import ALIKE_KEY, Alike, alike_of
from drivetrain.runtime.session import Session

CONTRACT = Contract(
    columns=(
        Column(name="age", kind="number"),
        Column(name="job", kind="category"),
        Column(name="note", kind="text"),
        Column(name="when", kind="datetime"),
    ),
    target=Target(name="y", task="binary", classes=("no", "yes"), label_type="string"),
)
ROWS = 3_000
JOBS = ("clerk", "smith", "")
MANY_TREES = int(FEWEST_STEPS)  # of one question each
random = np.random.default_rng(0)
COLUMNS: Columns = {
    "age": np.where(random.random(ROWS) < 0.1, np.nan, random.normal(40, 10, ROWS)),
    "job": np.array((*JOBS, "unseen"), dtype=object)[random.integers(0, 4, ROWS)],
    "note": np.array(["good", "bad", ""], dtype=object)[random.integers(0, 3, ROWS)],
    "when": random.integers(0, 10**15, ROWS),
}
ENCODERS = (
    (Number("age", "features", center=40.0, scale=0.1),),
    (Lookup("job", "features", JOBS, np.array([[0.0], [1.0], [2.0]], np.float32), np.ones(1)),),
    (DatetimeParts("when", "features", ("year", "hour")),),
    (Words("note", "features", ("good", "bad"), np.ones(2)),),
    (Number("age", "features"),),  # after an encoder whose width is not known to the lowering
)


def stumps(count: int) -> Trees:
    """Trees of one question each, about all features in turn."""
    return Trees(
        feature=(np.arange(count) % 7).astype(np.int32),
        threshold=random.normal(size=count).astype(np.float32).astype(np.float64),
        left=~np.arange(0, 2 * count, 2, dtype=np.int32),
        right=~np.arange(1, 2 * count, 2, dtype=np.int32),
        missing_left=random.random(count) < 0.5,
        roots=np.arange(count, dtype=np.int32),
        target=np.zeros(count, np.int32),
        leaf=random.normal(size=2 * count),
        targets=1,
        base=np.zeros(1),
    )


def model(trees: int) -> bytes:
    return lower(Program(CONTRACT, (Member("m", ENCODERS, ((stumps(trees),),), "sigmoid"),)))


def metadata(found: bytes) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load_from_string(found).metadata_props}


def test_a_sorted_batch_answers_the_same_bits_in_the_same_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = model(MANY_TREES)
    sorted_by = alike_of(metadata(made), tuple(COLUMNS))
    assert sorted_by is not None
    assert not np.array_equal(sorted_by.order(COLUMNS), np.arange(ROWS))
    found = Session(made, threads=2).run(COLUMNS, ROWS)
    monkeypatch.setattr(session_module, "FEWEST_ROWS", ROWS + 1)
    as_they_come = Session(made, threads=1).run(COLUMNS, ROWS)
    for name, expected in as_they_come.items():
        assert found[name].dtype == expected.dtype
        assert np.array_equal(found[name], expected)
    assert len(np.unique(found["probabilities"])) > 100


def test_neighbours_of_a_sorted_batch_answer_the_questions_alike() -> None:
    questions = json.loads(metadata(model(MANY_TREES))[ALIKE_KEY])
    order = Alike(json.dumps(questions)).order(COLUMNS)
    by_column = {one["column"]: one for one in questions}
    assert set(by_column) == {"age", "job"}
    age = by_column["age"]
    assert max(age["digits"]) > max(by_column["job"]["texts"].values()) or by_column["job"]["other"]
    for cut in age["cuts"]:
        before = np.count_nonzero(np.diff(COLUMNS["age"] <= cut))
        after = np.count_nonzero(np.diff(COLUMNS["age"][order] <= cut))
        assert after < before / 2


def test_a_scaled_number_is_asked_in_its_own_unit() -> None:
    (age,) = (
        one for one in json.loads(metadata(model(MANY_TREES))[ALIKE_KEY]) if one["column"] == "age"
    )
    assert all(0.0 < cut < 80.0 for cut in age["cuts"])


def test_a_missing_number_is_above_every_cut_and_an_unseen_text_is_the_other() -> None:
    said = [
        {"column": "age", "cuts": [9.0, 3.0], "digits": [1, 2]},
        {"column": "job", "texts": {"smith": 4}, "other": 8},
    ]
    columns: Columns = {
        "age": np.array([3.0, 4.0, np.nan]),
        "job": np.array(["new", "smith", ""], dtype=object),
    }
    # 1 + 2 + 8, 1 + 4, 8
    assert Alike(json.dumps(said)).order(columns).tolist() == [1, 2, 0]


def test_few_trees_are_not_worth_sorting_and_unknown_columns_are_not_asked() -> None:
    assert ALIKE_KEY not in metadata(model(MANY_TREES - 1))
    assert alike_of(metadata(model(MANY_TREES)), ("age",)) is None
    assert alike_of({}, ("age",)) is None
