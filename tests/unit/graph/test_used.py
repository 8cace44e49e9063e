"""Features that no model of a member reads are not in its graph, and its answers are the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import ParityError
from drivetrain.evaluate.library_answers import MemberAnswers
from drivetrain.evaluate.parity import prove
from drivetrain.graph import used
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number, Vector
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.program import Member, Program, lower
from drivetrain.graph.run import open_session, run_apart, run_blocks
from drivetrain.graph.used import used_part
from drivetrain.runtime.packed import pack
from drivetrain.runtime.session import Session

random = np.random.default_rng(0)
ROWS, NUMBERS = 60, 12
CONTRACT = Contract(
    columns=(
        *(Column(name=f"n{number}", kind="number") for number in range(NUMBERS)),
        Column(name="city", kind="category"),
        Column(name="since", kind="datetime"),
        Column(name="v", kind="vector", width=2),
    ),
    target=Target(name="y", task="regression"),
)
COLUMNS = {
    **{f"n{number}": random.normal(size=ROWS) for number in range(NUMBERS)},
    "city": np.array(["Bern", "Genf", ""], dtype=object)[random.integers(0, 3, ROWS)],
    "since": random.integers(0, 10**15, ROWS),
    "v": random.normal(size=(ROWS, 2)),
}
COLUMNS["n1"][::5] = np.nan
PAIRS = random.normal(size=(2, 2)).astype(np.float32)


def encoders() -> used.Encoders:
    """Make 12 numbers, each with its flag, two for a city, three of a date, and a vector's two."""
    numbers = tuple(
        (
            Number(f"n{at}", "value", fill=0.0),
            MissingFlag(f"n{at}", "flag", "number"),
            Concat(("value", "flag"), "features"),
        )
        for at in range(NUMBERS)
    )
    others: used.Encoders = (
        (Lookup("city", "features", ("Bern", "Genf"), PAIRS, PAIRS[0]),),
        (DatetimeParts("since", "features", ("year", "month", "hour"), 0.0),),
        (Vector("v", "features"),),
    )
    return (*numbers, *others)


def trees(*features: int) -> Trees:
    """Make a tree of one question for each of some features."""
    count = len(features)
    leaves = random.normal(size=2 * count)
    numbers = np.arange(count, dtype=np.int32)
    return Trees(
        feature=np.array(features, np.int32),
        threshold=np.zeros(count),
        left=~(2 * numbers),
        right=~(2 * numbers + 1),
        missing_left=np.ones(count, np.bool_),
        roots=numbers,
        target=np.zeros(count, np.int32),
        leaf=leaves,
        targets=1,
        base=np.array([0.25]),
    )


def line(*features: int) -> Linear:
    weights = np.zeros((31, 1))
    weights[list(features)] = random.normal(size=(len(features), 1))
    return Linear(weights, np.ones(1))


def matrix(made: used.Encoders) -> np.ndarray:
    return np.hstack(run_apart(list(made), COLUMNS, "features"))


def program(*folds: Block) -> Program:
    member = Member("m", encoders(), tuple((fold,) for fold in folds), "identity")
    return Program(CONTRACT, (member,))


def margin(folds: used.Folds, X: np.ndarray) -> np.ndarray:
    parts = [run_blocks(fold, {}, ["margin"], {"X": X})["margin"] for fold in folds]
    return np.mean(parts, axis=0)


@pytest.mark.parametrize(
    ("folds", "kept"),
    [
        ((trees(0, 4), trees(3, 24)), [0, 3, 4, 24, 25, 29, 30]),
        ((trees(27, 29), trees(30)), [26, 27, 28, 29, 30]),
        ((line(2, 25), line(6)), [2, 6, 24, 25, 29, 30]),
    ],
)  # fmt: skip
def test_what_is_left_answers_the_same(folds: tuple[Block, ...], kept: list[int]) -> None:
    whole = tuple((fold,) for fold in folds)
    part = used_part(encoders(), whole, CONTRACT.columns)
    X = matrix(encoders())
    assert part.kept.places(X.shape[1]).tolist() == kept
    assert np.array_equal(matrix(part.encoders), part.kept.of(X))
    np.testing.assert_allclose(margin(part.folds, part.kept.of(X)), margin(whole, X), rtol=1e-12)
    answers = open_session(lower(program(*folds))).run(None, COLUMNS)[0]
    np.testing.assert_allclose(answers, margin(whole, X)[:, 0], rtol=1e-12)


def test_no_node_is_for_a_column_that_no_model_reads_and_no_call_takes_it() -> None:
    model = lower(program(trees(0, 4)))
    graph = onnx.load_from_string(model).graph
    assert {info.name for info in graph.input} == set(CONTRACT.names)  # the face stays
    assert {"n0", "n2"} <= {name for node in graph.node for name in node.input}
    assert not {"n1", "city", "since"} & {name for node in graph.node for name in node.input}
    packed = pack(model)
    assert packed is not None
    assert {name for table in packed.tables for name in table.columns} == {"n0", "n2"}
    assert packed.columns == ("v",)
    session = Session(model)
    assert session.inputs == CONTRACT.names
    found = session.run(COLUMNS, ROWS)["prediction"]
    assert np.array_equal(found, open_session(model).run(None, COLUMNS)[0])


def test_one_feature_stays_where_none_is_read() -> None:
    alone = encoders()[:3]
    part = used_part(alone, ((trees(),), (trees(),)), CONTRACT.columns)
    assert part.kept.places(6).tolist() == [4]
    assert margin(part.folds, matrix(part.encoders)).tolist() == [[0.25]] * ROWS


def test_a_net_reads_everything() -> None:
    net: used.Folds = ((trees(0),), (dataclasses.replace(trees(0), input="hidden"),))
    whole = encoders()
    assert used_part(whole, net, CONTRACT.columns).encoders is whole


def test_a_feature_left_out_though_a_tree_asks_it_is_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = program(trees(0, 4))
    X = matrix(encoders())
    answers = {"m": MemberAnswers(X, (margin(whole.members[0].folds, X),))}
    assert prove(whole, lower(whole), answers, COLUMNS, COLUMNS_OF_NONE).rows == ROWS
    monkeypatch.setattr(used, "_read", lambda folds: np.array([0]))
    with pytest.raises(ParityError):
        prove(whole, lower(whole), answers, COLUMNS, COLUMNS_OF_NONE)


COLUMNS_OF_NONE = {name: values[:0] for name, values in COLUMNS.items()}
