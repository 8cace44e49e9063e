"""Categories: ranks, one-hot, target means and crosses, with unseen and missing declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivetrain.core.contract import Kind
from drivetrain.core.folds import Fold, Folds
from drivetrain.features.encode import ENCODERS, run_encoder
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.testing.columns import describe, example_folds

CITY = np.array(["a", "a", "a", "b", "b", "", "", "rare"], object)
Y = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
TARGET = Target(Y, "binary", 2)


def _fit(
    encoder: str,
    columns: dict[str, np.ndarray],
    *,
    kind: Kind = "category",
    target: Target = TARGET,
    weight: np.ndarray | None = None,
    **parameters: Any,
) -> FittedEncoder:
    about = describe(columns, kind)
    loaded = ENCODERS.load(encoder)
    return loaded.fit(columns, about, target, weight, seed=0, **parameters)


def _run(fitted: FittedEncoder, *texts: str) -> np.ndarray:
    return run_encoder(fitted, {"city": np.array(texts, object)})


def test_codes_are_ranks_and_unseen_comes_after_the_last() -> None:
    fitted = _fit("category_codes", {"city": CITY}, share=True)
    assert fitted.names == ("city:rank", "city:share")
    got = _run(fitted, "a", "", "b", "rare", "new")
    assert got[:, 0].tolist() == [0, 1, 2, 3, 3]
    assert got[:, 1].tolist() == [0.375, 0.25, 0.25, 0, 0]


def test_one_hot_has_a_feature_for_missing_and_none_for_unseen() -> None:
    fitted = _fit("one_hot", {"city": CITY}, limit=2)
    assert fitted.names == ("city=a", "city=(missing)")
    assert _run(fitted, "a", "", "b", "new").tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]


def test_one_hot_without_a_frequent_level_is_a_feature_of_zeros() -> None:
    fitted = _fit("one_hot", {"city": np.array([str(n) for n in range(8)], object)})
    assert _run(fitted, "0", "new").tolist() == [[0], [0]]


def test_serving_sees_smoothed_means_of_all_rows_and_unseen_is_the_overall_mean() -> None:
    fitted = _fit("target", {"city": CITY}, alpha=10.0)
    overall = Y.mean()
    expected = [(2 + 10 * overall) / 13, (0 + 10 * overall) / 12, (2 + 10 * overall) / 12]
    np.testing.assert_allclose(_run(fitted, "a", "b", "")[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(_run(fitted, "rare", "new")[:, 0], overall, rtol=1e-6)


def test_training_sees_means_of_the_rows_its_fold_fits_on() -> None:
    folds = Folds((Fold(np.arange(4), np.arange(4, 8)), Fold(np.arange(4, 8), np.arange(4))), 8, "")
    fitted = _fit("target", {"city": CITY}, alpha=1.0)
    assert fitted.out_of_fold is not None
    seen = fitted.out_of_fold(folds)
    b_in_the_first_half = (0 + 1.0 * 0.5) / (1 + 1.0)
    assert seen[4, 0] == pytest.approx(b_in_the_first_half)
    assert seen[0, 0] == pytest.approx(0.75)  # no 'a' in the second half: its mean


def test_a_fold_without_a_past_gets_the_mean_of_what_others_fit_on() -> None:
    fitted = _fit("target", {"city": CITY})
    assert fitted.out_of_fold is not None
    seen = fitted.out_of_fold(example_folds(8, by_time=True, count=2))
    np.testing.assert_allclose(seen[:4, 0], Y[:4].mean())


def test_what_judges_a_model_is_unknown_to_all_that_it_sees() -> None:
    folds = example_folds(8, count=4)
    fold = folds.parts[1]
    other = Target(np.where(np.isin(np.arange(8), fold.judge), 1.0 - Y, Y), "binary", 2)
    seen = []
    for target in (TARGET, other):
        made = _fit("target", {"city": CITY}, target=target, rank=True, scale=True).out_of_fold
        assert made is not None
        seen.append((made(folds), made(folds.within(fold))))
    (plain, within), (plain_of_other, within_of_other) = seen
    assert (plain != plain_of_other).any()  # the folds of a run do not do for it
    np.testing.assert_array_equal(within, within_of_other)


def test_weights_count_as_repeated_rows() -> None:
    weight = np.array([3.0, 1, 1, 1, 1, 1, 1, 1])
    weighed = _run(_fit("target", {"city": CITY}, weight=weight), "a", "new")
    again = np.concatenate([[0, 0], np.arange(8)])
    repeated = _fit("target", {"city": CITY[again]}, target=Target(Y[again], "binary", 2))
    np.testing.assert_allclose(weighed, _run(repeated, "a", "new"), rtol=1e-6)


def test_three_classes_are_three_means_that_sum_to_one() -> None:
    target = Target(np.array([0.0, 1, 2, 0, 1, 2, 0, 1]), "multiclass", 3)
    fitted = _fit("target", {"city": CITY}, target=target, rank=True)
    assert fitted.names[-1] == "city:rank"
    got = _run(fitted, "a", "new")
    np.testing.assert_allclose(got[:, :3].sum(axis=1), 1.0, rtol=1e-6)
    assert got[:, 3].tolist() == [0, 3]


def test_a_huge_regression_target_stays_finite() -> None:
    target = Target(np.full(8, 1e300), "regression")
    assert np.isfinite(_run(_fit("target", {"city": CITY}, target=target), "a")).all()


def test_a_cross_tells_what_neither_column_does() -> None:
    random = np.random.default_rng(0)
    first, second = (random.choice(["p", "q"], 400).astype(object) for _ in range(2))
    y = ((first == "p") ^ (second == "p")).astype(float)
    columns = {"first": first, "second": second}
    fitted = _fit("cross", columns, target=Target(y, "binary", 2))
    assert fitted.out_of_fold is not None
    seen = fitted.out_of_fold(example_folds(len(y)))
    assert seen[y == 1].min() > seen[y == 0].max()


def test_the_order_of_a_cross_s_columns_is_theirs_in_the_recipe() -> None:
    columns = {"first": CITY, "second": CITY[::-1].copy()}
    fitted = _fit("cross", columns, min_count=1, alpha=1e-9)
    turned = {"second": columns["second"], "first": columns["first"]}
    np.testing.assert_array_equal(run_encoder(fitted, columns), run_encoder(fitted, turned))
