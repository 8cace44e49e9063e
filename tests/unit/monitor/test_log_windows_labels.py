"""The log is read in constant memory, cut into windows, and joined with labels that come late."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from drivetrain.core.errors import DataError, SettingError
from drivetrain.monitor import log as log_module
from drivetrain.monitor.labels import LabelStore
from drivetrain.monitor.log import PredictionLog
from drivetrain.monitor.window import Sketcher
from drivetrain.monitor.windows import WindowReader, parse_cut
from drivetrain.testing.monitored import (
    monitored_contract,
    monitored_reference,
    monitored_rows,
    sketch_rows,
)
from drivetrain.testing.monitored_bundle import DAY_US, START_US, write_segment

CONTRACT = monitored_contract()


def read(folder: Path, content_hash: str | None = "h") -> PredictionLog:
    return PredictionLog(folder, CONTRACT, content_hash)


def reader(folder: Path, cut: str = "1d", labels: pl.DataFrame | None = None) -> WindowReader:
    sketcher = Sketcher(CONTRACT, monitored_reference())
    return WindowReader(read(folder), sketcher, CONTRACT.target, parse_cut(cut), labels=labels)


def test_what_was_logged_is_read_back_typed(tmp_path: Path) -> None:
    rows = monitored_rows(300, seed=1)
    rows.columns["city"][:3] = ""
    rows.columns["seen"][:2] = np.iinfo(np.int64).min
    ids = write_segment(tmp_path, rows, content_hash="h")
    (chunk,) = read(tmp_path).chunks()
    assert chunk.ids.tolist() == ids
    for name, values in rows.columns.items():
        np.testing.assert_array_equal(chunk.columns[name], values, err_msg=name)
    np.testing.assert_array_equal(chunk.outputs["probabilities"], rows.outputs["probabilities"])
    np.testing.assert_array_equal(chunk.outputs["prediction"], rows.outputs["prediction"])


def test_only_answers_of_the_bundle_in_closed_segments_are_read(tmp_path: Path) -> None:
    rows = monitored_rows(10, seed=1)
    write_segment(tmp_path, rows, content_hash="h", name="1.parquet")
    write_segment(tmp_path, rows, content_hash="other", name="2.parquet")
    write_segment(tmp_path, rows, content_hash="h", role="shadow", name="3.parquet")
    write_segment(tmp_path, rows, content_hash="h", name=".4.parquet")
    assert sum(len(chunk.ids) for chunk in read(tmp_path).chunks()) == 10
    assert sum(part.height for part in read(tmp_path, None).ids()) == 20


def test_a_segment_that_cannot_be_read_is_named_and_the_rest_is_used(tmp_path: Path) -> None:
    write_segment(tmp_path, monitored_rows(10, seed=1), content_hash="h", name="2.parquet")
    (tmp_path / "1.parquet").write_bytes(b"no parquet")
    pl.DataFrame({"at_us": [1]}).write_parquet(tmp_path / "3.parquet")
    log = read(tmp_path)
    assert sum(len(chunk.ids) for chunk in log.chunks()) == 10
    assert sorted(log.unread) == ["1.parquet", "3.parquet"]
    with pytest.raises(DataError, match="no such folder"):
        read(tmp_path / "absent")


def test_windows_are_the_same_however_the_log_is_cut(tmp_path: Path, monkeypatch) -> None:
    """One segment a day, or many overlapping small chunks: the sketches are equal."""
    days = [monitored_rows(400, seed=k) for k in range(3)]
    for k, rows in enumerate(days):
        write_segment(tmp_path, rows, content_hash="h", start_us=START_US + k * DAY_US)
    monkeypatch.setattr(log_module, "_CHUNK_ROWS", 37)
    windows = reader(tmp_path).last(2)
    assert [window.start_us for window in windows] == [START_US + DAY_US, START_US + 2 * DAY_US]
    for window, rows in zip(windows, days[1:]):
        whole = sketch_rows(monitored_reference(), rows)
        assert window.sketch.columns == whole.columns
        assert window.sketch.outputs == whole.outputs
        np.testing.assert_array_equal(window.sketch.scores["yes"], whole.scores["yes"])
        np.testing.assert_allclose(window.sketch.joint.products, whole.joint.products)


def test_windows_of_rows_hold_so_many(tmp_path: Path) -> None:
    for k in range(3):
        rows = monitored_rows(400, seed=k)
        write_segment(tmp_path, rows, content_hash="h", start_us=START_US + k * DAY_US)
    windows = reader(tmp_path, "500 rows").last(2)
    assert [window.sketch.rows for window in windows] == [500, 200]


def test_a_column_that_the_log_leaves_out_is_not_watched(tmp_path: Path) -> None:
    write_segment(tmp_path, monitored_rows(50, seed=1), content_hash="h", leave_out=["note"])
    watched = reader(tmp_path)
    (window,) = watched.last(1)
    assert watched.absent == {"note"}
    assert "note" not in window.sketch.columns


@pytest.mark.parametrize("text", ["", "1", "0d", "1 week", "-3h", "1.5h"])
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="Correct --window"):
        parse_cut(text)


def test_labels_come_late_again_and_out_of_order(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "labels")
    first = store.add(["b", "a", "b"], ["no", "yes", "yes"], at_us=50)
    assert (first.new, first.changed, first.same, first.repeated) == (2, 0, 0, 1)
    files = sorted(store.folder.iterdir())
    again = store.add(["a", "b"], ["yes", "yes"], at_us=60)
    assert (again.new, again.changed, again.same) == (0, 0, 2)
    assert sorted(store.folder.iterdir()) == files  # nothing was written
    # a clock set back: the label that is added last still counts
    changed = store.add(["b", "c"], ["no", "no"], at_us=10)
    assert (changed.new, changed.changed) == (1, 1)
    labels = dict(
        LabelStore(tmp_path / "labels").read().select("prediction_id", "label").iter_rows()
    )
    assert labels == {"a": "yes", "b": "no", "c": "no"}


def test_a_kill_while_labels_are_written_leaves_none_of_them(tmp_path: Path, monkeypatch) -> None:
    store = LabelStore(tmp_path)
    store.add(["a"], ["yes"], at_us=1)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.DataFrame, "write_parquet", killed)
    with pytest.raises(KeyboardInterrupt):
        store.add(["b"], ["yes"], at_us=2)
    monkeypatch.undo()
    assert store.read()["prediction_id"].to_list() == ["a"]
    assert store.add(["b"], ["yes"], at_us=3).new == 1


def test_labels_are_joined_by_id_into_their_windows(tmp_path: Path) -> None:
    rows = monitored_rows(300, seed=4)
    ids = write_segment(tmp_path, rows, content_hash="h")
    names = np.array(["no", "yes"])[rows.y.astype(int)]
    chosen = np.random.default_rng(0).permutation(300)[:120]
    labels = pl.DataFrame({
        "prediction_id": [ids[k] for k in chosen] + ["of no prediction"],
        "label": [*names[chosen].tolist(), "yes"],
    })  # fmt: skip
    (window,) = reader(tmp_path, labels=labels).last(1)
    y, answer, predicted = window.labelled()
    order = np.sort(chosen)
    np.testing.assert_array_equal(y, rows.y[order])
    np.testing.assert_array_equal(answer, rows.outputs["probabilities"][order])
    np.testing.assert_array_equal(predicted, rows.outputs["prediction"][order])
    assert window.sketch.target.rows == 120
