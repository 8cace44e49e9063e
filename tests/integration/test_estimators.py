"""scikit-learn's own checks, and what they do not look at: frames, labels, pickles, bundles."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import drivetrain as dt

# One Recipe, two folds, in this process: the checks fit more than a hundred times.
QUICK: dict[str, Any] = {"trials": 1, "folds": 2, "workers": 0}

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "the holdout and the folds are drawn by row: "
    "a row of weight 2 falls on one side, two equal rows may fall on both",
}


@parametrize_with_checks(
    [dt.Classifier(**QUICK), dt.Regressor(**QUICK)],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
    xfail_strict=False,  # on which side a row falls is luck, and one of the two may pass
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_the_suite_above_really_runs_scikit_learns_checks():
    names = [
        check.func.__name__
        for _, check in estimator_checks_generator(dt.Classifier(**QUICK), legacy=True)
    ]
    assert len(names) > 50
    assert {"check_classifiers_train", "check_fit_idempotent", "check_n_features_in"} <= set(names)
    assert set(EXPECTED_FAILURES) <= set(names)


def table(rows: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, rows).astype(float)
    job = random.choice(["clerk", "nurse", "smith"], rows)
    age[::17] = np.nan
    X = pd.DataFrame({"age": age, "job": job, "target": random.normal(size=rows)})
    y = np.where((job == "nurse") ^ (random.random(rows) < 0.1), "yes", "no")
    return X, y


@pytest.fixture(scope="module")
def fitted() -> dt.Classifier:
    return dt.Classifier(**QUICK).fit(*table())


def test_a_frame_keeps_its_kinds_and_its_names(fitted):
    kinds = {column.name: column.kind for column in fitted.model_.contract.columns}
    assert kinds == {"age": "number", "job": "category", "target": "number"}
    assert list(fitted.feature_names_in_) == ["age", "job", "target"]
    assert list(fitted.classes_) == ["no", "yes"]


def test_pandas_polars_and_the_bundle_give_one_answer(fitted, tmp_path):
    X, _ = table(40, seed=1)
    expected = fitted.predict_proba(X)
    assert np.array_equal(expected, fitted.predict_proba(pl.from_pandas(X)))

    bundle = fitted.save(tmp_path / "bundle")
    model = dt.load(bundle)
    assert np.array_equal(expected, model.predict_proba(X))
    assert list(model.predict(X)) == list(fitted.predict(X))


def test_a_pickle_predicts_the_same_and_holds_no_session(fitted):
    X, _ = table(40, seed=1)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 -- made a moment ago
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    "labels",
    [[False, True], [3, 20], [2.0, 10.0], ["10", "9"], np.array(["b", "a"], dtype=object)],
    ids=["boolean", "integer", "float", "digits", "object"],
)
def test_labels_come_back_as_they_were_given(labels):
    X, y = table(60)
    given = np.asarray(labels)[(y == "yes").astype(int)]
    model = dt.Classifier(**QUICK).fit(X, given)
    predicted = model.predict(X)
    assert predicted.dtype == given.dtype
    assert list(model.classes_) == sorted(set(given.tolist()))
    assert (predicted == given).mean() > 0.6
    first = model.predict_proba(X)[:, 1] > 0.5
    assert (model.classes_[first.astype(int)] == predicted).mean() > 0.9


def test_a_label_that_means_missing_is_refused_by_name():
    X, y = table(60)
    with pytest.raises(dt.errors.DataError, match="'NA'"):
        dt.Classifier(**QUICK).fit(X, np.where(y == "yes", "NA", "EU"))


def test_rows_of_weight_zero_are_no_rows():
    X, y = table(80)
    weight = np.ones(len(X))
    weight[60:] = 0
    weighted = dt.Classifier(**QUICK).fit(X, y, sample_weight=weight)
    assert weighted.model_.manifest.lineage.rows == 60


def test_estimators_clone_and_cross_validate(fitted):
    X, y = table(200)
    assert clone(fitted).get_params() == fitted.get_params()
    scores = cross_val_score(dt.Classifier(**QUICK), X, y, cv=2)
    assert scores.min() > 0.6


def test_intervals_sets_and_flags_are_there_where_they_were_asked_for(fitted):
    X, y = table(300)
    for method in ("predict_set", "predict_out_of_range", "predict_interval"):
        assert not hasattr(fitted, method)
    asked = dt.Classifier(coverage=0.8, out_of_range=True, **QUICK).fit(X, y)
    sets = asked.predict_set(X)
    assert (sets.dtype, sets.shape) == (np.bool_, (300, 2))
    assert sets[np.arange(300), (y == "yes").astype(int)].mean() > 0.75
    assert asked.promises_.coverage.asked == 0.8
    assert asked.predict_out_of_range(X.assign(job="king"))[:5].all()
    again = pickle.loads(pickle.dumps(asked))  # noqa: S301 -- made a moment ago
    assert np.array_equal(again.predict_set(X), sets)
    assert again.promises_ == asked.promises_

    value = dt.Regressor(coverage=0.9, **QUICK).fit(X, X["target"] + (y == "yes"))
    lower, upper = value.predict_interval(X).T
    assert (lower <= value.predict(X)).all() and (value.predict(X) <= upper).all()
    assert not hasattr(value, "predict_set") and not hasattr(value, "costs")
    assert clone(value).coverage == 0.9


def test_sets_are_in_the_order_of_the_classes():
    X, y = table(300)
    given = np.where(y == "yes", 10.0, np.where(X["age"] > 50, 2.0, -1.0))
    model = dt.Classifier(coverage=0.9, **QUICK).fit(X, given)
    assert list(model.classes_) == [-1.0, 2.0, 10.0]
    places = np.searchsorted(model.classes_, model.predict(X))
    assert model.predict_set(X)[np.arange(300), places].all(), "the likeliest is in each set"
    assert np.array_equal(model.predict_proba(X).argmax(axis=1), places)


def test_costs_move_the_label_and_are_named_by_the_labels_themselves(fitted):
    X, y = table()
    model = dt.Classifier(costs={("yes", "no"): 30}, **QUICK).fit(X, y)
    dear = model.predict_proba(X)[:, 1] > 1 / 31
    assert np.array_equal(model.predict(X) == "yes", dear)
    assert (model.predict(X) == "yes").sum() > (fitted.predict(X) == "yes").sum()
    for wrong in ({"yes": 3}, [("yes", "no", 3)], {("yes", "no"): "much"}, {("yes", "none"): 3}):
        with pytest.raises(dt.errors.SettingError) as raised:
            dt.Classifier(costs=wrong, **QUICK).fit(X, y)
        assert "costs" in raised.value.line() and "\n" not in raised.value.line()


def test_a_search_over_parameters_can_score_intervals():
    X, y = table(200)

    def covered(model, X, y):
        lower, upper = model.predict_interval(X).T
        return float(((lower <= y) & (y <= upper)).mean())

    target = X["age"].fillna(0).to_numpy() + (y == "yes")
    scores = cross_val_score(dt.Regressor(coverage=0.8, **QUICK), X, target, cv=2, scoring=covered)
    assert scores.min() > 0.5
