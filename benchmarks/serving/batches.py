"""Batches: `drivetrain predict` on files of two sizes, and Arrow over HTTP beside the same in process.

    python -m benchmarks.serving.batches [--bundle PATH] [--rows 1000000] [--only files|arrow]

A file of a tenth of the rows and one of all, CSV and Parquet: the memory of the process must not grow
with the file. Then bodies of 20,000 rows in Arrow IPC against a server on core 0, its answer in Arrow
too, beside `Model.predict_all` of the same table in a process on the same core, in turns.
"""  # noqa: E501

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
from benchmarks.serving.run import SERVE, free_port, pinned_server

from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.runtime.vectors import Vectors
from drivetrain.serve.arrow_body import ARROW
from drivetrain.testing.tabular_bundle import write_tabular_bundle

BATCH_ROWS = 20_000
PREDICT = "import sys; from drivetrain.cli.main import main; sys.exit(main(sys.argv[1:]))"


def frame_of(bundle: Path, rows: int) -> pl.DataFrame:
    """Return the bundle's own rows, typed as their columns are, again and again."""
    found = read_bundle(bundle)
    kinds = {column.name: column.kind for column in found.manifest.contract.columns}
    known = pl.DataFrame(msgspec.json.decode(found.vectors, type=Vectors).rows, strict=False)
    numbers = [name for name in known.columns if kinds.get(name) == "number"]
    known = known.with_columns(pl.col(numbers).cast(pl.Float64, strict=False))
    return known[[row % len(known) for row in range(rows)]]


def measured_predict(bundle: Path, table: Path, out: Path) -> tuple[float, float]:
    """Run the command; return its seconds and the most memory that it had, in MB."""
    command = [sys.executable, "-c", PREDICT, "predict", str(bundle), str(table), "--out", str(out)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"predict ended with status {status}")
    return time.perf_counter() - began, used.ru_maxrss / 1024


def files(bundle: Path, rows: int) -> None:
    print(f"{'file':<10} {'rows':>10} {'MB':>7} {'rows/s':>9} {'most memory, MB':>16}")
    with tempfile.TemporaryDirectory() as folder:
        piece = frame_of(bundle, min(rows // 10, 100_000))
        for ending in ("csv", "parquet"):
            for count in (rows // 10, rows):
                table = Path(folder) / f"t.{ending}"
                write(table, piece, count)
                size = table.stat().st_size / 1e6
                out = Path(folder) / "o.parquet"
                seconds, memory = measured_predict(bundle, table, out)
                assert pl.scan_parquet(out).select(pl.len()).collect().item() == count
                told = f"{count / seconds:>9,.0f} {memory:>16,.0f}"
                print(f"{ending:<10} {count:>10,} {size:>7,.0f} {told}")
                table.unlink()


def write(table: Path, piece: pl.DataFrame, rows: int) -> None:
    """Write the piece as often as it takes, in constant memory."""
    times = rows // len(piece)
    if table.suffix == ".csv":
        with table.open("wb") as file:
            for number in range(times):
                piece.write_csv(file, include_header=number == 0)
        return
    import pyarrow.parquet as pq

    arrow = piece.to_arrow()
    with pq.ParquetWriter(table, arrow.schema) as writer:
        for _ in range(times):
            writer.write_table(arrow)


def stream_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def arrow(bundle: Path, rounds: int = 15) -> None:
    table = frame_of(bundle, BATCH_ROWS).to_arrow(compat_level=pl.CompatLevel.oldest())
    body, port = stream_of(table), free_port()
    model = Model.load(bundle, threads=1)
    times: dict[str, list[float]] = {"in process": [], "over HTTP": []}
    with pinned_server(["-c", SERVE, str(bundle), str(port)], port):
        os.sched_setaffinity(0, {0})  # turns on one core: neither is served while the other works
        client = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(rounds):
            began = time.perf_counter()
            model.predict_all(table)
            times["in process"].append(time.perf_counter() - began)
            began = time.perf_counter()
            ask(client, body)
            times["over HTTP"].append(time.perf_counter() - began)
    rates = {name: BATCH_ROWS / median(taken) for name, taken in times.items()}
    for name, rate in rates.items():
        print(f"{name:<12} {rate:>10,.0f} rows/s, {BATCH_ROWS:,} rows, {len(body) / 1e6:.1f} MB")
    print(f"share: {rates['over HTTP'] / rates['in process']:.0%} (goal 80 %)")


def ask(client: http.client.HTTPConnection, body: bytes) -> Any:
    client.request("POST", "/invocations", body, {"Content-Type": ARROW, "Accept": ARROW})
    reply = client.getresponse()
    answer = reply.read()
    if reply.status != 200:
        raise SystemExit(f"{reply.status}: {answer[:300]!r}")
    with pa.ipc.open_stream(answer) as reader:
        assert reader.read_all().num_rows == BATCH_ROWS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("files", "arrow"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = given.bundle or Path(folder) / "random.bundle"
        if given.bundle is None:
            write_tabular_bundle(bundle, numbers=6, categories=6, trees=500)
        if given.only != "arrow":
            files(bundle, given.rows)
        if given.only != "files":
            arrow(bundle)


if __name__ == "__main__":
    main()
