"""From a table to a bundle that predicts, in seconds; and what a kill leaves behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import psutil
import pytest

from drivetrain.core.progress import Progress
from drivetrain.lifecycle.train import TrainResult, train, train_model
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.search.journal import JOURNAL_FILE, TrialEntry, read_journal

LIMIT_S = 6.0


def table(n: int = 400, seed: int = 0) -> pl.DataFrame:
    """Numbers, categories, a boolean with holes, dates; targets for all three tasks."""
    generator = np.random.default_rng(seed)
    x, z = generator.standard_normal((2, n))
    job = generator.choice(["clerk", "cook", "driver", "pilot"], n)
    signal_ = x + (job == "pilot") + 0.3 * generator.standard_normal(n)
    return pl.DataFrame(
        {
            "x": x,
            "z": np.where(generator.random(n) < 0.1, np.nan, z),
            "job": job,
            "owner": generator.choice(["yes", "no", ""], n),
            "day": np.datetime64("2024-01-01", "us") + generator.integers(0, 10**12, n),
            "group": generator.integers(0, 40, n).astype(str),
            "weight": generator.random(n) + 0.5,
            "binary": np.where(signal_ > 0.3, "late", "on time"),
            "multi": np.digitize(signal_, [-0.5, 0.7]),
            "value": 100.0 + 10.0 * signal_,
        }
    )


TARGETS = ("binary", "multi", "value")


def without(frame: pl.DataFrame, target: str, *, keep: tuple[str, ...] = ()) -> pl.DataFrame:
    aside = {*TARGETS, "group", "weight"} - {target, *keep}
    return frame.drop(aside)


@pytest.fixture(scope="module", params=TARGETS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: Any) -> tuple[TrainResult, Any]:
    frame = without(table(), request.param)
    out = tmp_path_factory.mktemp("out") / "bundle"
    heard: list[Progress] = []
    result = train(
        frame, request.param, time_limit=LIMIT_S, out=out, progress=heard.append, workers=2
    )
    return result, (frame.drop(request.param), frame[request.param], heard)


def test_the_bundle_is_better_than_chance_and_proved(trained: Any) -> None:
    result, _ = trained
    assert result.score_low <= result.score <= result.score_high
    if result.task == "binary":
        assert result.score > 0.8
    if result.task == "regression":
        assert result.score < 8.0
    assert result.parity.max_abs_diff <= 1e-5
    assert result.parity.label_flips == 0
    assert result.trials >= 1
    assert result.size_bytes == sum(f.stat().st_size for f in Path(result.bundle).iterdir())
    assert result.latency.single_row_p50_us > 0


def test_the_run_ends_in_time(trained: Any) -> None:
    result, _ = trained
    assert result.elapsed_s <= LIMIT_S * 1.05 + 5.0


def test_the_bundle_predicts_rows_as_they_come(trained: Any) -> None:
    result, (frame, truth, _) = trained
    model = Model.load(result.bundle)
    prediction = model.predict(frame)
    assert len(prediction) == frame.height
    if result.task == "regression":
        assert np.corrcoef(prediction, truth.to_numpy())[0, 1] > 0.8
    else:
        assert np.mean(prediction == truth.to_numpy()) > 0.6
    one = model.predict(frame.row(3, named=True))
    assert one[0] == prediction[3]


def test_the_manifest_tells_everything(trained: Any) -> None:
    result, (_, _, heard) = trained
    manifest = read_bundle(result.bundle).manifest
    assert manifest.lineage.settings["time_limit"] == LIMIT_S
    assert manifest.scorecard["metric"] == result.metric
    assert manifest.proof.rows > 0
    assert sum(recipe["weight"] for recipe in manifest.recipes) == pytest.approx(1.0)
    subjects = {decision.subject for decision in manifest.decisions}
    assert {"metric", "holdout", "folds", "blend", "task"} <= subjects
    assert {"read", "check", "search", "prove", "evaluate", "write"} <= {n.stage for n in heard}


def test_the_result_is_json_with_what_the_cli_promises(trained: Any) -> None:
    result, _ = trained
    plain = msgspec.json.decode(msgspec.json.encode(result))
    assert {
        "bundle", "task", "metric", "score", "score_low", "score_high", "elapsed_s", "trials",
        "parity", "latency", "size_bytes",
    } <= set(plain)  # fmt: skip


def test_nothing_but_the_bundle_and_its_journal_is_left(trained: Any) -> None:
    result, _ = trained
    folder = Path(result.bundle).parent
    assert sorted(path.name for path in folder.iterdir()) == ["bundle", "bundle.run"]
    kept = sorted(path.name for path in (folder / "bundle.run").iterdir())
    assert kept == ["journal.jsonl", "lock"]  # what a replay needs, and where it is waited


def test_group_time_and_weight_hold_and_are_no_inputs() -> None:
    frame = without(table(), "binary", keep=("group", "weight"))
    by_group = train_model(frame, "binary", time_limit=4.0, group="group", weight="weight")
    assert {"group", "weight"} <= set(by_group.contract.ignored)
    holdout = [d for d in by_group.manifest.decisions if d.subject == "holdout"]
    assert "'group'" in holdout[0].reason
    by_time = train_model(without(table(), "binary"), "binary", time_limit=4.0, time="day")
    assert any("'day'" in d.reason for d in by_time.manifest.decisions)


def test_a_bundle_without_a_place_goes_with_its_model() -> None:
    model = train_model(without(table(), "value"), "value", time_limit=3.0, trials=1)
    home = Path(model.path).parent
    assert home.is_dir()
    assert model.predict(without(table(), "value").drop("value")).shape == (400,)
    del model
    gc.collect()
    assert not home.exists()


def test_a_label_metric_moves_the_threshold_and_the_graph_obeys() -> None:
    frame = without(table(600), "binary").filter(
        (pl.col("binary") == "on time") | (pl.int_range(pl.len()) % 4 == 0)
    )
    model = train_model(frame, "binary", time_limit=4.0, metric="balanced_accuracy")
    (threshold,) = [d for d in model.manifest.decisions if d.subject == "threshold"]
    p = model.predict_proba(frame)[:, 1]
    labels = model.predict(frame) == model.classes[1]
    if threshold.choice != "0.5":
        assert (labels == (p > float(threshold.choice))).mean() > 0.99
        assert not np.array_equal(labels, p > 0.5)


SCRIPT = """
import sys
import polars as pl
from drivetrain.core.progress import to_stderr
from drivetrain.lifecycle.train import train

result = train(
    pl.read_parquet(sys.argv[1]), "binary", time_limit=float(sys.argv[3]), out=sys.argv[2],
    progress=to_stderr, workers=2,
)
print(result.trials)
"""


def start(data: Path, out: Path, limit_s: float) -> subprocess.Popen[str]:
    """Train in a script that has no ``if __name__ == '__main__'``."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(out), str(limit_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def test_a_killed_run_leaves_no_bundle_and_no_process_and_is_gone_on_with(tmp_path: Path) -> None:
    data, out = tmp_path / "data.parquet", tmp_path / "bundle"
    without(table(), "binary").write_parquet(data)
    first = start(data, out, 30.0)
    assert first.stderr is not None
    for line in first.stderr:
        if "auc" in line:  # one trial is in the journal
            break
    workers = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert not out.exists()
    before = trials(tmp_path / "bundle.run" / JOURNAL_FILE)
    assert before
    second = start(data, out, 6.0)
    _, words = second.communicate()
    assert second.returncode == 0, words
    assert read_bundle(out).manifest.metric == "auc"
    known = {row["trial"]: row for row in read_bundle(out).manifest.measured["leaderboard"]}
    for key, entry in before.items():
        assert known[key]["fit_s"] == entry.seconds  # not fitted again
    assert not (tmp_path / "bundle.run" / "trials").exists()


def trials(path: Path) -> dict[str, TrialEntry]:
    return {e.key: e for e in read_journal(path) if isinstance(e, TrialEntry)}
