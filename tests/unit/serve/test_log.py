"""The prediction log: every answered row once, in Parquet, whatever happens to the server."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from drivetrain.core.errors import ResourceError
from drivetrain.serve.answer import Logged
from drivetrain.serve.log.layout import layout_of
from drivetrain.serve.log.opening import open_log
from drivetrain.serve.log.parquet import seal_folder
from drivetrain.serve.log.segment import Batch, SegmentWriter
from drivetrain.serve.log.writer import PredictionLog
from drivetrain.serve.prediction_id import row_ids
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.tabular_model import CLASSES, TabularModel

EMPTY = Batch("", None, "answer", [], [], [], [])


def private(model: TabularModel, *names: str) -> TabularModel:
    columns = tuple(
        msgspec.structs.replace(column, private=column.name in names)
        for column in model.contract.columns
    )
    contract = msgspec.structs.replace(model.contract, columns=columns)
    model.contract = contract
    model.manifest = msgspec.structs.replace(model.manifest, contract=contract)
    return model


def answering(log: PredictionLog, model: TabularModel) -> tuple[Service, Served]:
    service = Service()
    service.log = log
    served = Served(model)
    service.swap(served)
    return service, served


def everything(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(sorted(folder.glob("*.parquet"))).sort("prediction_id")


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "in vain"
        threading.Event().wait(0.02)


def test_what_was_answered_is_in_the_log_to_the_bit(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    model = TabularModel()
    service, served = answering(log, model)
    asked = [model.rows(count, seed=count) for count in (1, 3, 1, 500)]
    answers = [service.predict(served, rows) for rows in asked]
    log.close()
    assert log.dropped == 0
    (file,) = tmp_path.glob("*.parquet")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    found = everything(tmp_path)
    ids = [text for answer in answers for text in row_ids(answer.prediction_id, answer.rows)]
    assert found["prediction_id"].to_list() == ids
    assert found["content_hash"].unique().to_list() == [model.manifest.content_hash]
    assert found["version"].to_list() == [None] * 505
    assert found["role"].unique().to_list() == ["answer"]
    labels = [label for answer in answers for label in answer.outputs["prediction"]]
    assert found["prediction"].to_list() == labels
    for number, name in enumerate(model.manifest.classes):
        column = found[f"probability.{name}"]
        assert column.dtype == pl.Float32
        given = [p for answer in answers for p in answer.outputs["probabilities"][:, number]]
        assert column.to_list() == given
    rows = [row for rows in asked for row in rows]
    assert found["input.age"].to_list() == [row["age"] for row in rows]
    assert found["input.job"].to_list() == [row["job"] for row in rows]
    assert found["input.size"].to_list() == [row["size"] for row in rows]
    member = [None if row["member"] is None else float(row["member"]) for row in rows]
    assert found["input.member"].to_list() == member
    assert [t is None for t in found["input.since"]] == [row["since"] is None for row in rows]


def test_the_file_has_the_types_of_the_schema_and_duckdb_reads_it(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    model = TabularModel("regression")
    service, served = answering(log, model)
    service.predict(served, model.rows(4))
    service.predict(served, model.rows(2), role="shadow")
    log.close()
    schema = pq.read_schema(next(tmp_path.glob("*.parquet")))
    assert {field.name: str(field.type) for field in schema} == {
        "prediction_id": "string", "at_us": "int64", "content_hash": "string",
        "version": "string", "role": "string", "input.age": "double", "input.hours": "double",
        "input.member": "double", "input.job": "string", "input.note": "string",
        "input.since": "int64", "input.size": "list<element: double>", "prediction": "double",
    }  # fmt: skip
    assert [field.name for field in schema if not field.nullable] == [
        "prediction_id", "at_us", "content_hash", "role",
    ]  # fmt: skip
    counts = duckdb.sql(
        f"select role, count(*), min(at_us) from '{tmp_path}/*.parquet' group by role order by role"
    ).fetchall()
    assert [row[:2] for row in counts] == [("answer", 4), ("shadow", 2)]
    assert abs(counts[0][2] / 1e6 - time.time()) < 60


def test_a_private_column_is_left_out_or_hashed_with_the_key(tmp_path: Path) -> None:
    for key, folder in ((b"", "a"), (b"k" * 32, "b"), (b"K" * 32, "c"), (b"k" * 32, "d")):
        log = PredictionLog(tmp_path / folder, hash_key=key)
        model = private(TabularModel(), "job", "age", "since")
        service, served = answering(log, model)
        rows = [{**row, "job": "s3cret"} for row in model.rows(3)] + [dict(model.rows(1)[0])]
        rows[3] |= {"job": None, "age": None, "since": None}
        service.predict(served, rows)
        log.close()
    left_out, first, other_key, second = (everything(tmp_path / name) for name in "abcd")
    hidden = ["job", "age", "since"]
    assert not [name for name in left_out.columns if any(part in name for part in hidden)]
    for frame in (first, other_key, second):
        assert not {f"input.{name}" for name in hidden} & set(frame.columns)
        for name in hidden:
            column = frame[f"hashed.{name}"]
            assert column.dtype == pl.String
            assert column[3] is None
        assert first["hashed.job"].n_unique() == 2
    assert first["hashed.job"].to_list() == second["hashed.job"].to_list()
    assert first["hashed.job"][0] != other_key["hashed.job"][0]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes()


def test_segments_close_in_time_while_the_server_runs(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, segment_s=0.05)
    service, served = answering(log, TabularModel())
    service.predict(served, TabularModel().rows(2))
    wait_for(lambda: bool(list(tmp_path.glob("*.parquet"))))
    service.predict(served, TabularModel().rows(3))
    wait_for(lambda: len(list(tmp_path.glob("*.parquet"))) == 2)
    log.close()
    assert len(everything(tmp_path)) == 5


def test_bundles_with_other_columns_get_files_of_their_own(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    service, first = answering(log, TabularModel())
    second = Served(TabularModel("regression"), ledger_version="income/3")
    for _ in range(3):
        for served in (first, second):
            service.predict(served, TabularModel().rows(2))
    log.close()
    frames = [pl.read_parquet(path) for path in tmp_path.glob("*.parquet")]
    assert sorted(len(frame) for frame in frames) == [6, 6]
    assert {frame["version"][0] for frame in frames} == {None, "income/3"}


def test_a_full_queue_drops_rows_and_counts_them(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, queue_bytes=2000)
    _stop_thread(log)
    service, served = answering(log, TabularModel())
    for _ in range(10):
        assert service.predict(served, TabularModel().rows(2)).rows == 2
    assert 0 < log.dropped < 20
    assert log.dropped + 2 * len(log._queue) == 20
    assert log._waiting_bytes <= 2000
    log._flush()
    assert log.rows + log.dropped == 20
    _close(log)


def test_a_log_that_blocks_drops_nothing(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, queue_bytes=1, blocks=True)
    service, served = answering(log, TabularModel())
    for _ in range(10):
        service.predict(served, TabularModel().rows(2))
    log.close()
    assert (log.dropped, len(everything(tmp_path))) == (0, 20)


def _stop_thread(log: PredictionLog) -> None:
    log._closing.set()
    log._thread.join()
    log._closing.clear()


def _close(log: PredictionLog) -> None:
    log._close_segments(float("inf"))
    log.close()


SERVER = """
import sys, os, signal
from pathlib import Path
from drivetrain.serve.log.writer import PredictionLog
from drivetrain.serve.service import Served, Service
from drivetrain.testing.tabular_model import CLASSES, TabularModel
model, service = TabularModel(), Service()
service.log = PredictionLog(Path(sys.argv[1]), segment_s=600.0)
service.swap(Served(model))
for _ in range(5):
    service.predict(service.served(), model.rows(2))
while service.log.rows < 10:
    service.log._closing.wait(0.01)
print("written", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_open_segment_of_a_killed_server_is_recovered(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (-signal.SIGKILL, "written")
    log = PredictionLog(tmp_path)  # the next start; the old sealer may have been faster
    wait_for(lambda: len(list(tmp_path.glob("*.parquet"))) == 1)
    log.close()
    assert len(everything(tmp_path)) == 10
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".parquet"]


def write_segment(folder: Path, batches: int = 3) -> tuple[Path, list[int]]:
    """Write batches of 1, 2, 3 … rows; return the file and the sizes after each frame."""
    log = PredictionLog(folder / "other")
    _stop_thread(log)
    model = TabularModel()
    served = Served(model)
    writer = SegmentWriter(folder, "00001-w0", layout_of(model.manifest))
    log._open[layout_of(model.manifest)] = writer, 0.0
    sizes = [writer.size_bytes]
    for rows in range(1, batches + 1):
        admitted = model.admit(model.rows(rows))
        first = f"0198c2a1-7c00-7000-8000-{rows:07x}00000"
        outputs, times = model.run(admitted.columns), [rows]
        log._append([Logged(served, admitted.columns, outputs, [first], times, [rows], "answer")])
        sizes.append(writer.size_bytes)
    log._open.clear()
    log.close()
    writer.close()
    return writer.path, sizes


def test_a_segment_cut_anywhere_gives_all_its_whole_batches(tmp_path: Path) -> None:
    path, sizes = write_segment(tmp_path)
    whole = path.read_bytes()
    assert len(whole) == sizes[-1]
    for length in {*range(0, len(whole), 97), *sizes, *(size - 1 for size in sizes)}:
        path.write_bytes(whole[:length])
        expected = sum(n for n, size in enumerate(sizes) if n and size <= length)
        assert seal_folder(tmp_path) == bool(expected)
        assert not path.exists()
        damaged = list(tmp_path.glob(".*.damaged"))
        assert len(damaged) == (length < sizes[0])
        if expected:
            assert len(everything(tmp_path)) == expected
        for file in [*tmp_path.glob("*.parquet"), *damaged]:
            file.unlink()


def test_a_flipped_bit_ends_a_segment_and_raises_nothing(tmp_path: Path) -> None:
    path, sizes = write_segment(tmp_path)
    whole = path.read_bytes()
    for place in range(sizes[1] - 40, sizes[2], 53):
        changed = bytearray(whole)
        changed[place] ^= 4
        path.write_bytes(changed)
        seal_folder(tmp_path)
        found = everything(tmp_path)["at_us"].to_list() if list(tmp_path.glob("*.parquet")) else []
        assert found in ([], [1], [1, 2, 2])
        for file in tmp_path.glob("*.parquet"):
            file.unlink()


def test_a_segment_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "1-w0", layout_of(TabularModel().manifest))
    assert seal_folder(tmp_path) == 0
    assert writer.path.exists()
    writer.close()
    seal_folder(tmp_path)
    assert not writer.path.exists()


SEALING = """
import sys
from pathlib import Path
from drivetrain.serve.log.parquet import ready_parquet, seal_folder
ready_parquet()
assert seal_folder(Path(sys.argv[1])) == 1
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"pandas", "onnxruntime"}))
"""


def test_sealing_imports_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    """It runs beside requests: pandas alone takes a quarter of a second of their processor."""
    write_segment(tmp_path)
    command = [sys.executable, "-c", SEALING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
    assert len(everything(tmp_path)) == 6


def test_sealing_twice_makes_one_file(tmp_path: Path) -> None:
    path, _ = write_segment(tmp_path)
    copy = path.read_bytes()
    assert seal_folder(tmp_path) == 1
    path.write_bytes(copy)  # killed between making the Parquet file and removing the segment
    assert seal_folder(tmp_path) == 1
    assert len(everything(tmp_path)) == 6


def test_a_full_disk_drops_rows_and_not_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    log = PredictionLog(tmp_path)
    monkeypatch.setattr(SegmentWriter, "append", fail)
    service, served = answering(log, TabularModel())
    service.predict(served, TabularModel().rows(2))
    wait_for(lambda: log.dropped == 2)
    monkeypatch.undo()
    service.predict(served, TabularModel().rows(3))
    log.close()
    assert len(everything(tmp_path)) == 3
    assert "drops 2 rows: No space left" in caplog.text


def test_a_fault_of_the_log_itself_drops_rows_and_stops_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = PredictionLog(tmp_path, queue_bytes=1, blocks=True)
    monkeypatch.setattr(log, "_append", lambda records: 1 / 0)
    service, served = answering(log, TabularModel())
    for _ in range(3):
        service.predict(served, TabularModel().rows(2))
    wait_for(lambda: log.dropped == 6)
    assert "drops 2 rows" in caplog.text
    log.close()


def test_a_failed_append_leaves_no_torn_frame(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "1-w0", layout_of(TabularModel().manifest))
    before = writer.path.read_bytes()
    real = writer._file

    class Short:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def write(self, data: memoryview) -> int:
            real.write(data[:7])
            raise OSError(errno.ENOSPC, "No space left on device")

    writer._file = Short()  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space"):
        writer.append(EMPTY)
    assert writer.path.read_bytes() == before
    writer._file = real
    writer.append(EMPTY)
    writer.close()


def test_without_pyarrow_segments_stay_and_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = importlib.import_module("drivetrain.serve.log.writer")
    monkeypatch.setattr(writer, "find_spec", lambda name: None)
    log = PredictionLog(tmp_path)
    service, served = answering(log, TabularModel())
    service.predict(served, TabularModel().rows(2))
    log.close()
    assert "pip install 'drivetrain[serve]'" in caplog.text
    assert [path.suffix for path in tmp_path.iterdir()] == [".segment"]
    assert seal_folder(tmp_path) == 1
    assert len(everything(tmp_path)) == 2


def test_a_folder_or_key_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_bytes(b"short")
    with pytest.raises(ResourceError, match="prediction log's folder"):
        open_log(ServeSettings(log=str(taken)))
    for key in (taken, tmp_path / "absent"):
        with pytest.raises(ResourceError, match="16 to 64 bytes"):
            open_log(ServeSettings(log=str(tmp_path / "log"), log_hash_key=str(key)))
    assert open_log(ServeSettings()) is None


def test_a_new_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "log")
    log.close()
    assert stat.S_IMODE(os.stat(tmp_path / "log").st_mode) == 0o700


def test_two_sealers_at_once_seal_each_segment_once(tmp_path: Path) -> None:
    path, _ = write_segment(tmp_path)
    whole = path.read_bytes()
    for number in range(20):
        (tmp_path / f".{number:03d}-w0.segment").write_bytes(whole)
    path.unlink()
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(seal_folder(tmp_path))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 20
    assert len(everything(tmp_path)) == 120
    assert not list(tmp_path.glob(".*.segment"))


def test_all_that_a_bundle_was_asked_for_is_logged(tmp_path: Path) -> None:
    for task, kinds in (
        ("regression", {"lower": pl.Float64, "upper": pl.Float64}),
        ("multiclass", {f"set.{label}": pl.Boolean for label in CLASSES}),
    ):
        model = TabularModel(task, extras=True)
        folder = tmp_path / task
        log = PredictionLog(folder)
        service, served = answering(log, model)
        rows = model.rows(3)
        service.predict(served, rows)
        log.close()
        frame = everything(folder)
        expected = model.run(model.admit(rows).columns)
        assert {name: frame.schema[name] for name in kinds} == kinds
        assert frame["out_of_range"].to_list() == expected["out_of_range"].tolist()
        logged = frame.select(list(kinds)).to_numpy()
        arrays = [expected["set"]] if "set" in expected else [expected["lower"], expected["upper"]]
        assert logged.tolist() == np.column_stack(arrays).tolist()
