"""Evaluating and inspecting a bundle: everything through what is sealed in it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.unit.runtime import tiny

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.errors import BundleError, ContractError, DataError, SettingError
from drivetrain.core.findings import Decision
from drivetrain.evaluate.scorecard import constant_baseline, scorecard
from drivetrain.lifecycle.evaluate import EvaluateResult, evaluate
from drivetrain.lifecycle.inspect import InspectResult, inspect
from drivetrain.runtime.admit import admit
from drivetrain.runtime.session import Session
from drivetrain.stats.metrics import Metric


def labelled(n: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "age": rng.integers(1, 99, n),
            "income": rng.normal(size=n) * 1e5,
            "member": rng.random(n) < 0.5,
            "city": rng.choice(["Bern", "Basel", "4"], n),
            "since": np.full(n, "1970-01-02"),
            "plan": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
        }
    )


class Alone:
    """The tiny graph as a model, before there is a bundle."""

    def __init__(self, graph: bytes) -> None:
        self.session = Session(graph, threads=1)

    def run(self, columns):
        return self.session.run(columns, len(columns["age"]))


@pytest.fixture
def bundle(tmp_path) -> Path:
    graph = tiny.graph()
    admitted = admit(tiny.CONTRACT, labelled().drop("plan"))
    y = np.random.default_rng(1).integers(0, 3, 300).astype(float)
    card = scorecard(Alone(graph), tiny.CONTRACT, admitted.columns, y, metric="log_loss",
                     constant=constant_baseline(y, tiny.CONTRACT.target))  # fmt: skip
    manifest = msgspec.structs.replace(
        tiny.manifest(),
        scorecard=msgspec.to_builtins(card),
        decisions=(Decision(subject="metric", choice="log_loss", reason="usual"),),
    )
    first = admit(tiny.CONTRACT, list(tiny.ROWS))
    outputs = Alone(graph).run(first.columns)
    vectors = make_vectors(tiny.CONTRACT, tiny.ROWS, first.columns, outputs)
    write_bundle(tmp_path / "tiny.bundle", manifest, graph, vectors)
    return tmp_path / "tiny.bundle"


def test_a_bundle_is_scored_and_the_result_round_trips(bundle, tmp_path):
    data = tmp_path / "labelled.csv"
    labelled().write_csv(data)
    result = evaluate(bundle, data)
    assert (result.rows, result.metric, result.data) == (300, "log_loss", "labelled.csv")
    assert result.score_low < result.score < result.score_high
    assert msgspec.json.decode(msgspec.json.encode(result), type=EvaluateResult) == result


def test_a_frame_and_its_file_score_the_same(bundle, tmp_path):
    labelled().write_parquet(tmp_path / "labelled.parquet")
    from_frame = evaluate(bundle, labelled()).scorecard
    assert from_frame == evaluate(bundle, tmp_path / "labelled.parquet").scorecard


def test_a_long_table_is_read_whole_and_scored_on_a_sample(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("drivetrain.lifecycle.evaluate.PIECE_ROWS", 70)
    labelled().with_columns(age=pl.Series([None] + [1] * 299)).write_csv(tmp_path / "long.csv")
    every, some = (evaluate(bundle, tmp_path / "long.csv", most_rows=n) for n in (300, 100))
    assert (every.rows, every.scorecard.rows) == (300, 300)
    assert (some.rows, some.scorecard.rows) == (300, 100)
    assert every.breaches == some.breaches
    assert every.scorecard == evaluate(bundle, pl.read_csv(tmp_path / "long.csv")).scorecard


def test_a_fault_far_down_the_file_is_named_by_its_row(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("drivetrain.lifecycle.evaluate.PIECE_ROWS", 70)
    plans = ["a"] * 250 + ["z"] + ["b"] * 49
    labelled().with_columns(plan=pl.Series(plans)).write_csv(tmp_path / "bad.csv")
    with pytest.raises(DataError, match=r"bad\.csv row 251"):
        evaluate(bundle, tmp_path / "bad.csv")


def test_another_metric_or_the_users_own_can_be_the_main_one(bundle):
    assert evaluate(bundle, labelled(), metric="accuracy").metric == "accuracy"
    hits = Metric("hits", lambda y, p, w: float(np.average(y == p, weights=w)), "label", True,
                  ("multiclass",))  # fmt: skip
    ours = evaluate(bundle, labelled(), metric=hits)
    assert ours.score == evaluate(bundle, labelled(), metric="accuracy").score
    with pytest.raises(SettingError, match="rmse"):
        evaluate(bundle, labelled(), metric="rmse")


def test_rows_without_the_target_are_refused(bundle):
    with pytest.raises(DataError, match="the target, column 'plan'"):
        evaluate(bundle, labelled().drop("plan"))


def test_bad_cells_and_labels_are_named_by_their_row_in_the_file(bundle, tmp_path):
    data = tmp_path / "l.csv"
    frame = labelled(20).cast(pl.String)
    frame.with_columns(age=pl.when(pl.int_range(20) == 4).then(pl.lit("x")).otherwise("age")
                       ).write_csv(data)  # fmt: skip
    with pytest.raises(ContractError, match="column 'age', l.csv row 5: .*got 'x'"):
        evaluate(bundle, data)
    frame.with_columns(plan=pl.when(pl.int_range(20) == 7).then(pl.lit("z")).otherwise("plan")
                       ).write_csv(data)  # fmt: skip
    with pytest.raises(DataError, match="target 'plan', l.csv row 8: .*got 'z'"):
        evaluate(bundle, data)


def test_a_bundle_with_another_scorecard_says_so(tmp_path):
    tiny.write(tmp_path / "t.bundle")
    with pytest.raises(BundleError, match="Scorecard of training"):
        evaluate(tmp_path / "t.bundle", labelled())


def test_inspect_tells_contract_score_files_and_decisions(bundle):
    shown = inspect(bundle)
    assert msgspec.json.decode(msgspec.json.encode(shown), type=InspectResult) == shown
    assert [(row.name, row.kind, row.expects) for row in shown.columns] == [
        ("age", "number", "0 to 120"),
        ("income", "number", "any"),
        ("member", "boolean", "true or false"),
        ("city", "category", "3 categories: Bern, Basel, 4"),
        ("since", "datetime", "any"),
    ]
    assert shown.columns[0].rejects == "junk"
    assert (shown.task, shown.target, shown.metric) == ("multiclass", "plan", "log_loss")
    assert shown.score_low is not None and shown.score is not None
    assert shown.score_low < shown.score
    assert shown.size_bytes == sum(file.stat().st_size for file in bundle.iterdir())
    assert shown.decisions[0].choice == "log_loss"


def test_inspect_refuses_a_changed_bundle(bundle):
    model = bundle / "model.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(BundleError):
        inspect(bundle)
