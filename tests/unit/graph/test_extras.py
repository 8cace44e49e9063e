"""What is asked for beside the prediction: the graph says what numpy does, one row or many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto

from drivetrain.core.arrays import MISSING_TIME, Array, Columns
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.graph.block import GraphBuilder
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.number import Vector
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.extras.interval import PredictionInterval
from drivetrain.graph.extras.prediction_set import PredictionSet
from drivetrain.graph.extras.ranges import Ranges
from drivetrain.graph.extras.together import Together
from drivetrain.graph.head import Extra
from drivetrain.graph.program import Member, Program, lower
from drivetrain.graph.tables import lower_table, share_table
from drivetrain.runtime.session import Session

CURVES = (
    PredictionInterval(np.zeros(1), np.array([0.5]), np.array([2.0])),
    PredictionInterval(np.array([-1.0, 0.5, 3.0]), np.array([1.0, 0.1, 4.0]), np.ones(3)),
)
RANGES = Ranges(
    numbers=("a", "b"), low=np.array([0.0, -np.inf]), high=np.array([1.0, np.inf]),
    is_whole=np.array([False, True]), vectors=("v",), vector_low=np.array([-1.0, -1.0]),
    vector_high=np.array([1.0, 2.0]), texts=("c", "d", "e"),
    levels=(("x", "y"), ("", "x"), None), times=("t",),
)  # fmt: skip


def session(target: Target, *extras: Extra, more: tuple[Column, ...] = ()) -> Session:
    width = len(target.classes) or 1
    contract = Contract(
        columns=(Column(name="m", kind="vector", width=width), *more), target=target
    )
    fold = Linear(np.eye(width), np.zeros(width))
    link = "identity"  # the margins are the answers
    member = Member("m", ((Vector("m", "features"),),), ((fold,),), link)
    return Session(lower(Program(contract, (member,), extras=extras)), threads=1)


REGRESSION = Target(name="y", task="regression")
SEVERAL = Target(name="y", task="multiclass", classes=("a", "b", "c"), label_type="string")


@pytest.mark.parametrize("interval", CURVES)
def test_the_ends_of_an_interval_are_the_curves(interval: PredictionInterval) -> None:
    made = session(REGRESSION, interval)
    cells = np.concatenate([np.linspace(-4, 6, 201), interval.knots, [1e300, -1e300]])[:, None]
    found = made.run({"m": cells}, len(cells))
    lower_end, upper_end = interval.ends(found["prediction"])
    np.testing.assert_allclose(found["lower"], lower_end, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found["upper"], upper_end, rtol=1e-12, atol=1e-12)
    assert (found["lower"] <= found["prediction"]).all()
    for row in range(0, len(cells), 7):
        alone = made.run({"m": cells[row : row + 1]}, 1)
        assert [alone[name][0] for name in alone] == [found[name][row] for name in alone]


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.float64, (4, 3), elements=st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5])))
def test_a_set_holds_what_is_probable_enough_and_the_likeliest(weights: Array) -> None:
    chosen = PredictionSet(np.array([0.3, 0.6, 0.25], np.float32))
    found = SETS.run({"m": weights / weights.sum(axis=1, keepdims=True)}, 4)
    probabilities = found["probabilities"]
    assert found["set"].dtype == np.bool_
    assert found["set"].tolist() == chosen.of(probabilities).tolist()
    assert found["set"].any(axis=1).all()


SETS = session(SEVERAL, PredictionSet(np.array([0.3, 0.6, 0.25], np.float32)))


def test_a_set_says_how_far_each_class_is_from_joining_or_leaving_it() -> None:
    chosen = PredictionSet(np.array([0.3, 0.3], np.float32))
    answers = np.array([[0.9, 0.1], [0.65, 0.35], [0.5, 0.5]])
    right = chosen.expected(answers, {})["set"]
    assert right.distance is not None
    np.testing.assert_allclose(right.distance, [[0.8, 0.2], [0.35, 0.05], [0.2, 0.2]], atol=1e-7)


def test_rows_that_are_unlike_the_training_data_are_flagged() -> None:
    kinds = {"a": "number", "b": "number", "c": "category", "d": "category", "e": "text"}
    more = [Column(name=name, kind=kind) for name, kind in kinds.items()]  # type: ignore[arg-type]
    more += [Column(name="t", kind="datetime"), Column(name="v", kind="vector", width=2)]
    made = session(REGRESSION, RANGES, more=tuple(more))
    rng = np.random.default_rng(0)
    rows = 400
    columns: Columns = {
        "m": np.zeros((rows, 1)),
        "a": rng.choice([0.0, 0.5, 1.0, 1.1, -0.1, np.nan], rows, p=[.3, .3, .3, .03, .03, .04]),
        "b": rng.choice([5.0, np.nan, np.inf], rows, p=[0.9, 0.05, 0.05]),
        "c": rng.choice(np.array(["x", "y", "z", ""], object), rows, p=[0.5, 0.4, 0.05, 0.05]),
        "d": rng.choice(np.array(["x", "y", "z", ""], object), rows, p=[0.5, 0.03, 0.03, 0.44]),
        "e": rng.choice(np.array(["any text", ""], object), rows, p=[0.95, 0.05]),
        "t": rng.choice([0, 10**15, MISSING_TIME], rows, p=[0.5, 0.45, 0.05]),
        "v": rng.choice([0.0, 1.0, 1.5, -1.5, np.nan], (rows, 2), p=[0.5, 0.4, 0.04, 0.02, 0.04]),
    }  # fmt: skip
    found = made.run(columns, rows)["out_of_range"]
    assert found.dtype == np.bool_
    assert found.tolist() == RANGES.of(columns).tolist()
    assert 0.2 < found.mean() < 0.8
    for row in range(40):
        one = {name: cells[row : row + 1] for name, cells in columns.items()}
        assert made.run(one, 1)["out_of_range"][0] == found[row]


def test_cells_that_are_unlike_together_are_flagged_though_each_is_usual() -> None:
    # c = "x" goes with a <= 0.5, c = "y" with more; b says nothing, and may be missing.
    trees = Trees(
        feature=np.array([0, 2, 2, 1], np.int32), threshold=np.array([0.5, 1.0, 1.0, 7.0]),
        left=np.array([1, ~0, ~2, ~4], np.int32), right=np.array([2, ~1, ~3, ~5], np.int32),
        missing_left=np.array([True, False, False, True]), roots=np.array([0, 3], np.int32),
        target=np.zeros(2, np.int32), leaf=np.array([1.0, -1.0, -1.0, 1.0, 0.25, -0.25]),
        targets=1, base=np.array([0.5]),
    )  # fmt: skip
    ranges = replace(
        RANGES, is_whole=np.zeros(2, np.bool_), vectors=(), vector_low=np.zeros(0),
        vector_high=np.zeros(0), texts=("c", "d"), levels=(("x", "y"), ("", "x")), times=(),
        together=Together(trees, 0.0),
    )  # fmt: skip
    more = [Column(name="a", kind="number"), Column(name="b", kind="number")]
    more += [Column(name="c", kind="category"), Column(name="d", kind="category")]
    made = session(REGRESSION, ranges, more=tuple(more))
    rng = np.random.default_rng(0)
    columns: Columns = {
        "m": np.zeros((500, 1)),
        "a": rng.choice([0.0, 0.5, 0.6, 1.0, 1.5, np.nan], 500),
        "b": rng.choice([5.0, 9.0, np.nan], 500),
        "c": rng.choice(np.array(["x", "y"], object), 500),
        "d": rng.choice(np.array(["x", ""], object), 500),
    }
    found = made.run(columns, 500)["out_of_range"]
    is_second = columns["c"] == "y"
    unlike = np.where(columns["a"] > 0.5, ~is_second, is_second)
    assert found.tolist() == (unlike | (columns["a"] > 1)).tolist()
    expected = ranges.expected(np.zeros((500, 1)), columns)["out_of_range"]
    assert expected.distance is not None
    assert expected.values.tolist() == found.tolist()
    assert np.isinf(expected.distance[columns["a"] > 1]).all()
    assert set(expected.distance[~(columns["a"] > 1)]) == {0.25, 0.75, 1.25, 1.75}


def test_ranges_read_the_table_that_is_there_already() -> None:
    graph = GraphBuilder()
    first = lower_table(graph, ["a", "b", "c"], TensorProto.DOUBLE)
    same, wire = share_table(graph, ["a", "b", "c"], TensorProto.DOUBLE)
    assert (same, wire) == (first, first.wire)
    part, wire = share_table(graph, ["c", "a"], TensorProto.DOUBLE)
    assert part == first and wire != first.wire
    assert share_table(graph, ["a"], TensorProto.STRING)[0] != first
    assert share_table(graph, ["d"], TensorProto.DOUBLE)[0] != first


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize(
    ("low", "high"),
    [(0.0, 0.0), (-0.0, 1.0), (0.1, 0.3), (-np.inf, 5e-324), (-1e308, np.inf), (-np.inf, np.inf)],
)
def test_the_ends_of_a_range_are_inside_to_the_last_bit(
    low: float, high: float, is_whole: bool
) -> None:
    one = replace(
        RANGES, numbers=("a",), low=np.array([low]), high=np.array([high]),
        is_whole=np.array([is_whole]), vectors=(), vector_low=np.zeros(0), vector_high=np.zeros(0),
        texts=(), levels=(), times=(),
    )  # fmt: skip
    made = session(REGRESSION, one, more=(Column(name="a", kind="number"),))
    ends = [low, high, 0.0, -0.0, 5e-324, -5e-324, 1.7e308, -1.7e308, np.inf, -np.inf, np.nan, 0.3]
    with np.errstate(over="ignore"):
        cells = np.array([np.nextafter(end, to) for end in ends for to in (end, -np.inf, np.inf)])
    columns: Columns = {"m": np.zeros((len(cells), 1)), "a": cells}
    assert made.run(columns, len(cells))["out_of_range"].tolist() == one.of(columns).tolist()
