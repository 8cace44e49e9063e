"""Splits: laws that hold whatever the target, the groups and the times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import DataError, SettingError
from drivetrain.core.folds import Folds
from drivetrain.data.split import holdout_rows, holdout_share, make_folds

LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=80)
SEEDS = st.integers(0, 5)


def covers_every_row_once(folds: Folds) -> bool:
    judged = np.concatenate([fold.judge for fold in folds.parts])
    disjoint = all(not np.intersect1d(fold.fit, fold.judge).size for fold in folds.parts)
    return disjoint and sorted(judged.tolist()) == list(range(folds.rows))


@settings(max_examples=60, deadline=None)
@given(LABELS, st.integers(2, 6), SEEDS)
def test_folds_cover_every_row_once_and_spread_every_class(
    labels: list[int], k: int, seed: int
) -> None:
    y = np.array(labels, dtype=np.float64)
    folds = make_folds(y, "multiclass", k=k, seed=seed)
    assert covers_every_row_once(folds)
    assert folds.kind == "stratified"
    for label in np.unique(y):
        shares = [int((y[fold.judge] == label).sum()) for fold in folds.parts]
        assert max(shares) - min(shares) <= 1


@settings(max_examples=60, deadline=None)
@given(LABELS, st.integers(2, 6), SEEDS, st.sampled_from(["multiclass", "regression"]))
def test_no_group_is_on_both_sides(labels: list[int], k: int, seed: int, task: str) -> None:
    group = np.array([f"g{label}" for label in labels], dtype=object)
    y = np.arange(len(labels)) % 2 * 1.0
    if len(set(labels)) < 2:
        with pytest.raises(DataError):
            make_folds(y, task, k=k, group=group, seed=seed)  # type: ignore[arg-type]
        return
    folds = make_folds(y, task, k=k, group=group, seed=seed)  # type: ignore[arg-type]
    assert covers_every_row_once(folds)
    for fold in folds.parts:
        assert not set(group[fold.fit]) & set(group[fold.judge])
        assert len(fold.fit) and len(fold.judge)
    train, held = holdout_rows(y, task, group=group, seed=seed)  # type: ignore[arg-type]
    assert not set(group[train]) & set(group[held])
    assert len(train) and len(held)


@settings(max_examples=60, deadline=None)
@given(LABELS, st.integers(2, 6))
def test_nothing_is_fitted_on_its_future(times: list[int], k: int) -> None:
    time = np.array(times, dtype=np.int64)
    y = np.zeros(len(times))
    if len(set(times)) < 2:
        with pytest.raises(DataError):
            make_folds(y, "regression", k=k, time=time, seed=0)
        return
    folds = make_folds(y, "regression", k=k, time=time, seed=0)
    assert covers_every_row_once(folds)
    assert len(folds.parts[0].fit) == 0
    assert folds.for_models()
    for fold in folds.for_models():
        assert time[fold.fit].max() < time[fold.judge].min()
    train, held = holdout_rows(y, "regression", time=time, seed=0)
    assert time[train].max() < time[held].min()


@settings(max_examples=60, deadline=None)
@given(LABELS, st.floats(0.05, 0.9), SEEDS)
def test_a_holdout_leaves_every_class_in_training(
    labels: list[int], share: float, seed: int
) -> None:
    y = np.array([*labels, labels[0]], dtype=np.float64)
    train, held = holdout_rows(y, "multiclass", share=share, seed=seed)
    assert sorted([*train, *held]) == list(range(len(y)))
    assert set(y[train]) == set(y)


def test_a_stratified_holdout_keeps_the_shares_of_classes() -> None:
    y = np.repeat([0.0, 1.0, 2.0], [700, 250, 50])
    _, held = holdout_rows(y, "multiclass", share=0.2, seed=3)
    assert np.bincount(y[held].astype(int)).tolist() == [140, 50, 10]


def test_seeds_give_other_rows_and_the_same_seed_the_same() -> None:
    y = np.zeros(100)
    first, again, other = (holdout_rows(y, "regression", seed=seed)[1] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_groups_are_dealt_evenly_and_by_class() -> None:
    group = np.repeat(np.arange(200), 5)
    y = np.repeat((np.arange(200) % 4 == 0) * 1.0, 5)
    folds = make_folds(y, "binary", k=5, group=group, seed=0)
    assert [len(fold.judge) for fold in folds.parts] == [200] * 5
    assert [int(y[fold.judge].sum()) for fold in folds.parts] == [50] * 5


def test_missing_times_count_as_the_earliest() -> None:
    time = np.array([np.nan, 1.0, 2.0, 3.0, 4.0])
    _, held = holdout_rows(np.zeros(5), "regression", share=0.2, time=time, seed=0)
    assert held.tolist() == [4]


def test_the_default_share_falls_with_the_rows() -> None:
    assert [holdout_share(n) for n in (100, 4000, 10**4, 10**5, 10**7)] == [
        0.2, 0.1, 0.1, 0.025, 0.01,
    ]  # fmt: skip


def test_what_cannot_be_split_is_refused() -> None:
    y = np.zeros(10)
    with pytest.raises(SettingError, match="both"):
        make_folds(y, "regression", k=2, group=y, time=y, seed=0)
    with pytest.raises(SettingError, match="2 or more"):
        make_folds(y, "regression", k=1, seed=0)
    with pytest.raises(SettingError, match="between 0 and 1"):
        holdout_rows(y, "regression", share=1.5, seed=0)
    with pytest.raises(DataError, match="at least 2 rows"):
        holdout_rows(np.zeros(1), "regression", seed=0)
    with pytest.raises(DataError, match="at least 2 rows"):
        make_folds(np.zeros(1), "binary", k=2, seed=0)
    with pytest.raises(DataError, match="10 classes of one row each"):
        holdout_rows(np.arange(10.0), "multiclass", seed=0)
    with pytest.raises(DataError, match="at least 2 groups"):
        holdout_rows(y, "regression", group=y, seed=0)
    with pytest.raises(DataError, match="at least 2 different times"):
        holdout_rows(y, "regression", time=y, seed=0)
