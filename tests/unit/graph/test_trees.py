"""Trees in the graph answer as trees walked in Python, bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from drivetrain.graph.block import GraphBuilder
from drivetrain.graph.blocks import trees as trees_module
from drivetrain.graph.blocks.leaves import Leaves
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.run import run_blocks
from drivetrain.graph.tree_layout import lay_out, mostly_left, turned


def random_trees(seed: int, count: int, targets: int = 1, features: int = 4) -> Trees:
    """Grow trees of 0 to 6 splits; some are one leaf."""
    random = np.random.default_rng(seed)
    feature, threshold, left, right, leaf, roots = [], [], [], [], [], []

    def grow(splits: int) -> int:
        if not splits:
            leaf.append(random.normal())
            return ~(len(leaf) - 1)
        node = len(feature)
        feature.append(random.integers(features))
        threshold.append(np.float32(random.choice([0.0, 1e-40, random.normal(), np.inf])))
        left.append(0)
        right.append(0)
        share = int(random.integers(splits))
        left[node] = grow(share)
        right[node] = grow(splits - 1 - share)
        return node

    for _ in range(count):
        roots.append(grow(int(random.integers(7))))
    return Trees(
        feature=np.array(feature, np.int32),
        threshold=np.array(threshold, np.float64),
        left=np.array(left, np.int32),
        right=np.array(right, np.int32),
        missing_left=random.random(len(feature)) < 0.5,
        roots=np.array(roots, np.int32),
        target=random.integers(0, targets, count).astype(np.int32),
        leaf=np.array(leaf),
        targets=targets,
        base=random.normal(size=targets),
    )


def rows_for(trees: Trees, seed: int, rows: int = 200) -> np.ndarray:
    random = np.random.default_rng(seed)
    edge = trees.threshold.astype(np.float32)
    edge = edge[np.isfinite(edge)]
    pool = np.concatenate([edge, np.nextafter(edge, np.float32(9)), [np.nan, 0.0, -0.0, 3e38]])
    return random.choice(pool.astype(np.float32), size=(rows, 4))


def walk(trees: Trees, X: np.ndarray) -> np.ndarray:
    total = np.zeros((len(X), trees.targets))
    for row, values in enumerate(X):
        for root, target in zip(trees.roots, trees.target, strict=True):
            node = int(root)
            while node >= 0:
                value = values[trees.feature[node]]
                goes_left = trees.missing_left[node] if np.isnan(value) else (
                    value <= trees.threshold[node]
                )  # fmt: skip
                node = int(trees.left[node] if goes_left else trees.right[node])
            total[row, target] += trees.leaf[~node]
    return total + trees.base


def margin(trees: Trees, X: np.ndarray) -> np.ndarray:
    return run_blocks([trees], {}, ["margin"], {"X": X})["margin"]


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_trees_answer_as_walked_by_hand(seed: int, targets: int) -> None:
    trees = random_trees(seed, 25, targets)
    X = rows_for(trees, seed)
    assert np.array_equal(margin(trees, X), walk(trees, X))


@pytest.mark.parametrize("targets", [1, 2])
def test_chunks_change_nothing_but_the_last_digits(
    targets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = random_trees(3, 40, targets)
    X = rows_for(trees, 3)
    whole = margin(trees, X)
    monkeypatch.setattr(trees_module, "CHUNK_TREES", 7)
    np.testing.assert_allclose(margin(trees, X), whole, rtol=1e-13, atol=1e-13)


def test_an_ensemble_of_no_trees_answers_its_base() -> None:
    trees = random_trees(4, 5).some(slice(0, 0))
    assert margin(trees, np.zeros((2, 4), np.float32)).tolist() == [trees.base.tolist()] * 2


def test_a_float_ensemble_starts_from_its_base_in_float32() -> None:
    trees = random_trees(5, 9)
    single = Trees(**{**vars(trees), "precision": "float", "base": np.array([1e4])})
    X = rows_for(trees, 5)
    total = np.full((len(X), 1), np.float32(1e4))
    for number in range(single.tree_count):
        one = single.some(slice(number, number + 1))
        leaf = walk(Trees(**{**vars(one), "base": np.zeros(1)}), X).astype(np.float32)
        total = total + leaf
    assert np.array_equal(margin(single, X), total.astype(np.float64))


def test_the_average_of_folds_is_the_mean_of_their_margins() -> None:
    folds = [random_trees(seed, 12, 2) for seed in (6, 7, 8)]
    X = rows_for(folds[0], 6)
    expected = np.mean([margin(fold, X) for fold in folds], axis=0)
    average = Trees.average(folds)
    assert average.tree_count == 36
    np.testing.assert_allclose(margin(average, X), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("precision", ["double", "float"])
@pytest.mark.parametrize("known", [True, False])
def test_trees_laid_out_for_most_rows_answer_the_same_bits(
    precision: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = random_trees(3, 60)
    random = np.random.default_rng(1)
    rows = random.integers(0, 100, trees.leaf_count).astype(float) if known else None
    trees = dataclasses.replace(trees, leaf_rows=rows, precision=precision)
    edges = np.unique(trees.threshold.astype(np.float32))
    near = [np.nextafter(edges, np.float32(side)) for side in (-np.inf, np.inf)]
    odd = np.array([np.nan, 0.0, -0.0, 3.4e38, -3.4e38, 1e-45], np.float32)
    pool = np.concatenate([edges, *near, odd])
    X = random.choice(pool[~np.isinf(pool)], (4000, 4)).astype(np.float32)
    monkeypatch.setattr(trees_module, "MANY_STEPS", np.inf)
    plain = run_blocks([trees], {}, ["margin"], {"X": X})["margin"]
    monkeypatch.setattr(trees_module, "MANY_STEPS", 0.0)
    assert run_blocks([trees], {}, ["margin"], {"X": X})["margin"].tobytes() == plain.tobytes()


@pytest.mark.parametrize("precision", ["double", "float"])
def test_features_beside_their_negatives_answer_as_those_that_are_asked_alone(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = random_trees(3, 60)
    # where NaN goes left everywhere, one number stands in its place
    all_left = np.ones_like(trees.missing_left)
    trees = dataclasses.replace(trees, precision=precision, missing_left=all_left)
    X = np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)
    X[::7, 1] = np.nan
    monkeypatch.setattr(trees_module, "MANY_STEPS", 0.0)
    gathered = run_blocks([trees], {}, ["margin"], {"X": X})["margin"]
    used: list[str] = []
    add = GraphBuilder.node

    def noted(self: GraphBuilder, op: str, *args: object, **named: object) -> str:
        used.append(op)
        return add(self, op, *args, **named)

    monkeypatch.setattr(GraphBuilder, "width", lambda self, wire: 4)
    monkeypatch.setattr(GraphBuilder, "node", noted)
    beside = run_blocks([trees], {}, ["margin"], {"X": X})["margin"]
    assert beside.tobytes() == gathered.tobytes()
    assert "Concat" in used and "Gather" not in used


def test_one_number_stands_in_place_of_nan_where_it_can_and_a_feature_is_there_twice_else() -> None:
    trees = dataclasses.replace(
        random_trees(0, 1),
        feature=np.array([0, 0, 1, 1, 2], np.int32),
        threshold=np.array([1.0, 3.0, 1.0, 3.0, np.inf]),
        missing_left=np.array([False, True, True, False, False]),
    )
    found = lay_out(trees, np.zeros(5, np.bool_))
    assert found.columns.tolist() == [0, 1, 1, 2]
    assert found.fill.tolist() == [3.0, -np.inf, np.inf, np.inf]
    assert found.feature.tolist() == [0, 0, 1, 2, 3]
    assert found.threshold[4] < np.inf, "NaN goes right where all numbers go left"


def test_no_step_of_trees_laid_out_asks_whether_a_number_is_missing() -> None:
    graph = GraphBuilder(reserved=frozenset({"X"}))
    graph.lower([random_trees(3, 300)], {"X": "X"}, "t")
    flags = [
        sum(attribute.ints)
        for node in graph.nodes
        for attribute in node.attribute
        if attribute.name == "nodes_missing_value_tracks_true"
    ]
    assert flags == [0, 0]


def test_most_rows_go_right_at_every_node_of_trees_laid_out() -> None:
    left, right = np.array([1, -1], np.int32), np.array([-3, -2], np.int32)
    roots, rows = np.array([0], np.int32), np.array([1.0, 2.0, 4.0])
    assert mostly_left(left, right, roots, rows).tolist() == [False, False]
    assert mostly_left(right, left, roots, rows).tolist() == [True, True]
    assert mostly_left(left, right, roots, np.array([3.0, 2.0, 4.0])).tolist() == [True, True]


@pytest.mark.parametrize("threshold", [0.0, -0.0, 1.5, -3.4e38, 3.4028234663852886e38, 1e-45])
def test_a_turned_threshold_asks_the_opposite(threshold: float) -> None:
    t = np.float32(threshold)
    with np.errstate(over="ignore"):
        beside = [np.nextafter(t, np.float32(side)) for side in (-np.inf, np.inf)]
    x = np.array([t, *beside, np.inf, -np.inf, 0.0, -0.0], np.float32)
    (u,) = turned(np.array([t], np.float64))
    assert (-x <= u).tolist() == (x > t).tolist()


def test_leaves_of_several_numbers_are_looked_up_and_summed() -> None:
    """Two stumps on one feature, their leaves numbered: each number is a row of the table."""
    stumps = Trees(
        feature=np.zeros(2, np.int32),
        threshold=np.array([0.0, 1.0]),
        left=np.array([~0, ~2], np.int32),
        right=np.array([~1, ~3], np.int32),
        missing_left=np.array([True, False]),
        roots=np.array([0, 1], np.int32),
        target=np.array([0, 1], np.int32),
        leaf=np.array([0.0, 1.0, 2.0, 1.0]),
        targets=2,
        base=np.zeros(2),
        output="leaves",
    )
    table = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.25]])
    X = np.array([[-1.0], [0.5], [2.0], [np.nan]], np.float32)
    found = run_blocks((stumps, Leaves(values=table)), {}, ["margin"], feeds={"X": X})["margin"]
    expected = [table[0] + table[2], table[1] + table[2], table[1] + table[1], table[0] + table[1]]
    assert np.array_equal(found, expected)
