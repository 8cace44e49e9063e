"""A report over 150,000 rows of 65 columns: how long it takes, and how large it is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof
from drivetrain.evaluate.scorecard import scorecard
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.program import Member, Program, lower
from drivetrain.lifecycle.watch import watch
from drivetrain.monitor.reference import REFERENCE_FILE, make_reference, read_reference
from drivetrain.monitor.window import Sketcher
from drivetrain.report.watch_page import render_watch
from drivetrain.runtime.model import Model
from drivetrain.runtime.session import Session
from drivetrain.serve.service import Served, Service
from drivetrain.stats.tally import Tally
from drivetrain.testing.monitored import Rows
from drivetrain.testing.monitored_bundle import DAY_US, START_US, write_segment

NUMBERS, TEXTS = 45, 20
ROWS, DAYS, HELD_OUT = 150_000, 3, 20_000
LEVELS = tuple(f"level {number}" for number in range(30))


def _contract() -> Contract:
    return Contract(
        columns=(
            *(Column(name=f"number {k}", kind="number", low=-6, high=6) for k in range(NUMBERS)),
            *(Column(name=f"text {k}", kind="category", categories=LEVELS) for k in range(TEXTS)),
        ),
        target=Target(name="y", task="binary", classes=("no", "yes"), label_type="string"),
    )


def _columns(rows: int, seed: int) -> Columns:
    random = np.random.default_rng(seed)
    levels = np.array(LEVELS, dtype=object)
    numbers = {f"number {k}": random.normal(size=rows) for k in range(NUMBERS)}
    return numbers | {f"text {k}": levels[random.integers(0, 30, rows)] for k in range(TEXTS)}


def write_wide_bundle(path: Path) -> int:
    """Write a linear model of five numbers over 65 columns; return the reference's size."""
    contract = _contract()
    encoders = tuple((Number(f"number {k}", "features"),) for k in range(5))
    member = Member("linear", encoders, ((Linear(np.ones((5, 1)) / 2, np.zeros(1)),),), "sigmoid")
    model = lower(Program(contract, (member,)))
    session = Session(model, threads=1)
    columns = _columns(HELD_OUT, 0)
    outputs = session.run(columns, HELD_OUT)
    chance = outputs["probabilities"][:, 1]
    y = (np.random.default_rng(1).random(HELD_OUT) < chance).astype(np.float64)

    class Runs:
        def run(self, columns: Columns) -> Any:
            return session.run(columns, len(next(iter(columns.values()))))

    card = scorecard(Runs(), contract, columns, y, metric="auc", constant=np.array([0.5, 0.5]))
    reference = make_reference(contract, columns, outputs, y)
    some = {name: values[:4] for name, values in columns.items()}
    raw = [{name: values[k] if values.dtype == object else float(values[k])
            for name, values in some.items()} for k in range(4)]  # fmt: skip
    manifest = Manifest(
        drivetrain="0", name="wide", contract=contract,
        outputs=(Output(name="prediction", type="string", shape=(-1,)),
                 Output(name="probabilities", type="float", shape=(-1, 2))),
        metric="auc", scorecard=msgspec.to_builtins(card), recipes=(),
        proof=Proof(rows=0, adversarial_rows=0, max_abs_diff=0.0, tolerance=1e-5, label_flips=0),
        lineage=Lineage(data_fingerprint="", rows=0, source="random", settings={}, packages={},
                        python="", seed=0),
    )  # fmt: skip
    vectors = make_vectors(contract, raw, some, session.run(some, 4))
    write_bundle(path, manifest, model, vectors, extra={REFERENCE_FILE: reference})
    return len(reference)


def write_wide_log(folder: Path, model: Model) -> None:
    """Write the rows as segments of 25,000, over three days."""
    pieces = ROWS // 25_000
    for piece in range(pieces):
        columns = _columns(25_000, 10 + piece)
        rows = Rows(columns, model.run(columns), np.zeros(25_000))
        write_segment(
            folder, rows, content_hash=model.manifest.content_hash,
            start_us=START_US + piece * DAY_US * DAYS // pieces,
            duration_us=DAY_US * DAYS // pieces,
        )  # fmt: skip


def wide_report(work: Path) -> dict[str, Any]:
    """Measure one look, from the folder of the log to both reports; the best of five."""
    size = write_wide_bundle(work / "wide")
    model = Model.load(work / "wide")
    write_wide_log(work / "widelog", model)
    times, processor = [], []
    for _ in range(5):
        began, spent = time.perf_counter(), time.process_time()
        report = watch(work / "wide", work / "widelog", window="1d")
        page, data = render_watch(report), msgspec.json.encode(report)
        times.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
    return {
        "rows": report.rows,
        "columns": NUMBERS + TEXTS,
        "goals": {
            "elapsed_s": 2,
            "html_bytes": 2_000_000,
            "json_bytes": 2_000_000,
            "reference_bytes": 256_000,
            "sketch_bytes_of_a_column": 8_192,
        },
        **sketch_sizes(model),
        "windows": len(report.windows),
        "elapsed_s": round(min(times), 3),
        "all_s": [round(t, 3) for t in times],
        "processor_s": round(min(processor), 3),
        "html_bytes": len(page),
        "json_bytes": len(data),
        "reference_bytes": size,
        "findings": len(report.findings),
    }


def sketch_sizes(model: Model) -> dict[str, float]:
    """Return how many bytes a window's sketch takes, of the largest column and of all together."""
    reference = read_reference(model.path, model.manifest)
    columns = _columns(ROWS // DAYS, 10)
    seen = Sketcher(model.contract, reference).sketch(columns, model.run(columns))
    of_columns = [len(msgspec.msgpack.encode(one)) for one in seen.columns.values()]
    joint = seen.joint.total.nbytes + seen.joint.products.nbytes
    scores = sum(np.asarray(value).nbytes for value in seen.scores.values())
    return {
        "sketch_bytes_of_a_column": max(of_columns),
        "sketch_bytes_of_a_window": sum(of_columns) + joint + scores,
    }


def hot_path(work: Path, *, requests: int = 20_000) -> dict[str, Any]:
    """Measure what a request pays for being watched: the count of its time, with and without it.

    The same service answers the same row in turns; the sketches are made by who looks at the log.
    """
    model = Model.load(work / "wide", threads=1)
    columns = _columns(1, 1)
    row = {name: v[0] if v.dtype == object else float(v[0]) for name, v in columns.items()}
    service = Service()
    service.swap(Served(model))
    tally, times, own = Tally(), [], []
    for _ in range(requests // 100):
        began = time.perf_counter()
        for _ in range(10):
            service.predict(service.served(), [row])
        times.append((time.perf_counter() - began) / 10)
        began = time.perf_counter()
        for _ in range(100):
            before = time.perf_counter()
            tally.answered(time.perf_counter() - before)
        own.append((time.perf_counter() - began) / 100)
    request_us, own_us = 1e6 * float(np.median(times)), 1e6 * float(np.median(own))
    return {
        "request_us": round(request_us, 2),
        "of_it_for_watching_us": round(own_us, 3),
        "share": round(own_us / request_us, 5),
        "goal_share": 0.01,
        "of_the_monitor_in_the_server": _imported_by_serving(),
    }


def _imported_by_serving() -> list[str]:
    """Return the modules of the monitor that a server's process imports."""
    code = (
        "import sys, drivetrain.serve.server;"
        "print([n for n in sys.modules if n.startswith('drivetrain.monitor')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.replace("'", '"')))
