"""Encoders side by side, and the plan that chooses them."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from drivetrain.core.contract import Column, Contract, Kind
from drivetrain.core.errors import SettingError, UnknownNameError
from drivetrain.features.encode import (
    ENCODERS,
    FittedFeatures,
    fit_encoders,
    run_encoder,
    run_encoders,
)
from drivetrain.features.encoder import EncoderSpec, Target
from drivetrain.features.plan import plan
from drivetrain.graph.run import PARTS
from drivetrain.testing.columns import example_cells, example_folds, example_target

ROWS = 120
KINDS: tuple[Kind, ...] = ("number", "boolean", "category", "text", "datetime", "vector")
CONTRACT = Contract(columns=tuple(Column(name=f"a {kind}", kind=kind) for kind in KINDS))
COLUMNS = {f"a {kind}": example_cells(kind, ROWS) for kind in KINDS}


def _fit(*specs: EncoderSpec, target: Target | None = None) -> FittedFeatures:
    target = target or example_target("binary", ROWS)
    return fit_encoders(specs, COLUMNS, CONTRACT, target, None, 0)


def test_features_stand_in_the_order_of_the_specs() -> None:
    features = _fit(EncoderSpec("boolean", ("a boolean",)), EncoderSpec("number", ("a number",)))
    assert features.names == ("a boolean", "a number")
    expected = np.column_stack([COLUMNS["a boolean"], COLUMNS["a number"]])
    np.testing.assert_array_equal(features.matrix(COLUMNS), expected)
    np.testing.assert_array_equal(features.training_matrix(COLUMNS, example_folds(ROWS)), expected)
    assert not len(features.places)


def test_models_train_on_out_of_fold_features_and_are_served_others() -> None:
    features = _fit(EncoderSpec("number", ("a number",)), EncoderSpec("target", ("a category",)))
    folds = example_folds(ROWS)
    seen = features.training_matrix(COLUMNS, folds)
    assert features.places.tolist() == [1]
    np.testing.assert_array_equal(seen[:, 1:], features.out_of_fold(folds))
    np.testing.assert_array_equal(seen[:, 0], features.matrix(COLUMNS)[:, 0])
    assert not np.array_equal(seen, features.matrix(COLUMNS))
    assert features.without_training().encoders[1].out_of_fold is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (EncoderSpec("number", ("a text",)), "columns of kind number, got text column 'a text'"),
        (EncoderSpec("cross", ("a category",)), "two or more columns, got 1"),
        (EncoderSpec("number", ("a number", "a boolean")), "one column, got 2"),
        (EncoderSpec("number", ("a number",), {"scales": 1}), "setting 'scales'"),
        (EncoderSpec("target", ("a category",), {"alpha": -1}), "setting 'alpha'"),
    ],
)
def test_a_wrong_spec_is_named(spec: EncoderSpec, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        _fit(spec)


def test_an_unknown_encoder_is_named() -> None:
    with pytest.raises(UnknownNameError, match="encoder 'magic'"):
        _fit(EncoderSpec("magic", ("a number",)))


@pytest.mark.parametrize("encoding", ["trees", "linear"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_plan_covers_every_kind_and_can_be_fitted(encoding: str, task: str) -> None:
    target = example_target(task, ROWS)  # type: ignore[arg-type]
    specs, decisions = plan(CONTRACT, target, encoding, ROWS)  # type: ignore[arg-type]
    assert [spec.columns for spec in specs] == [(column.name,) for column in CONTRACT.columns]
    assert len(decisions) == len(specs)
    features = _fit(*specs, target=target)
    seen = features.training_matrix(COLUMNS, example_folds(ROWS))
    assert not np.isinf(seen).any()
    if encoding == "linear":
        assert np.isfinite(seen).all()
        assert np.isfinite(features.matrix(COLUMNS)).all()


def test_a_plan_is_plain_json_and_its_reasons_are_sentences() -> None:
    specs, decisions = plan(CONTRACT, example_target("binary", ROWS), "trees", ROWS)
    for spec in specs:
        assert json.loads(msgspec.json.encode(spec.parameters)) == spec.parameters
        assert spec.encoder in ENCODERS.names()
    for decision in decisions:
        assert decision.reason.endswith(".")
        assert decision.choice


def test_many_classes_are_not_many_features_of_one_category() -> None:
    target = Target(np.arange(ROWS) % 40.0, "multiclass", 40)
    specs, _ = plan(CONTRACT, target, "trees", ROWS)
    assert {spec.columns[0]: spec.encoder for spec in specs}["a category"] == "category_codes"


def test_no_encoder_gives_no_features_but_all_rows() -> None:
    assert _fit().training_matrix(COLUMNS, example_folds(ROWS)).shape == (ROWS, 0)


@pytest.mark.parametrize("distinct", [30, 5_000])
def test_no_column_has_weights_for_its_values_beside_their_target_means(distinct: int) -> None:
    contract = Contract(columns=(Column(name="code", kind="category", distinct=distinct),))
    specs, _ = plan(contract, example_target("binary", 2_000), "linear", 2_000)
    assert len(specs) == 1


@pytest.mark.parametrize("encoding", ["trees", "linear"])
def test_encoders_run_together_give_the_bits_of_each_alone(encoding: str) -> None:
    target = example_target("binary", ROWS)
    specs, _ = plan(CONTRACT, target, encoding, ROWS)  # type: ignore[arg-type]
    encoders = _fit(*specs, target=target).encoders * 20  # more than are opened as one graph
    together = run_encoders(encoders, COLUMNS)
    assert len(together) == len(encoders) > PARTS
    for encoder, features in zip(encoders, together, strict=True):
        np.testing.assert_array_equal(features, run_encoder(encoder, COLUMNS), strict=True)
