"""The main job on real data, from a CSV to a served prediction, told step by step.

The Adult income set comes in two parts, as its makers split it: the demo trains on the first and
treats the second as what comes after the launch.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
from msgspec import Meta

from drivetrain.core.errors import DataError, GateError, ResourceError
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.read import read_table
from drivetrain.lifecycle.check import check
from drivetrain.lifecycle.evaluate import evaluate
from drivetrain.lifecycle.train import train
from drivetrain.runtime.model import Model

EXAMPLE = Path("examples") / "adult_income.csv.gz"
TARGET = "income"
NO_INPUTS = ("fnlwgt", "split")  # a survey weight, and which part a row is of


class DemoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain demo``."""

    time_limit: Annotated[float, Meta(description="Seconds that training may take.", gt=0)] = 60.0
    out: Annotated[str, Meta(description="Folder for the demo's tables and bundle.")] = "demo"
    data: Annotated[
        str | None,
        Meta(description="The Adult income table; by default the one of the repository."),
    ] = None


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo showed. ``served`` and ``in_process`` are the same numbers."""

    bundle: str
    new_data: str
    findings: int
    metric: str
    score: float  # on the rows of the second part
    score_low: float
    score_high: float
    linear: float | None  # the same metric of a linear model, on the training's own holdout
    proof_rows: int
    proof_max_abs_diff: float
    row: dict[str, Any]
    url: str
    classes: tuple[str, ...]
    served: tuple[float, ...]
    in_process: tuple[float, ...]
    train_s: float
    elapsed_s: float


def demo(*, progress: Listener = silent, **settings: Any) -> DemoResult:
    """Check, train, prove, evaluate, serve one real row, compare, and stop.

    Parameters
    ----------
    settings
        Fields of :class:`DemoSettings`.

    Raises
    ------
    DataError
        If the example table is not here.
    GateError
        If the served answer differs from the one in this process.
    """
    chosen = build(DemoSettings, settings, source="demo()")
    reporter = Reporter(progress)
    folder = Path(chosen.out)
    reporter.say("demo", "1 of 5  the table: the Adult income census, in its makers' two parts")
    past, new = _write_parts(find_example(chosen.data), folder)
    reporter.say("demo", f"2 of 5  check {past}")
    report = check(past, TARGET, drop=NO_INPUTS, progress=progress)
    reporter.say("demo", f"3 of 5  train {past}, and prove the graph before it is written")
    trained = train(
        past, TARGET, metric="auc", time_limit=chosen.time_limit, drop=NO_INPUTS,
        out=folder / "bundle", overwrite=True, name=TARGET, progress=progress,
    )  # fmt: skip
    reporter.say("demo", f"4 of 5  evaluate on {new}, rows that training has not seen")
    scored = evaluate(trained.bundle, new, progress=progress)
    reporter.say("demo", "5 of 5  serve, and send one real row over HTTP")
    model = Model.load(trained.bundle)
    row = _first_row(new, model)
    with serving(trained.bundle) as url:
        reporter.say("demo", f"the server answers at {url}")
        served = ask(url, row)
    in_process = model.predict_proba(row)[0]
    _expect_same(served, in_process)
    return DemoResult(
        bundle=trained.bundle,
        new_data=str(new),
        findings=len(report.findings),
        metric=scored.metric,
        score=scored.score,
        score_low=scored.score_low,
        score_high=scored.score_high,
        linear=_linear(model),
        proof_rows=trained.parity.rows,
        proof_max_abs_diff=trained.parity.max_abs_diff,
        row=row,
        url=url,
        classes=model.manifest.classes,
        served=tuple(served),
        in_process=tuple(float(share) for share in in_process),
        train_s=trained.elapsed_s,
        elapsed_s=reporter.elapsed_s,
    )


def find_example(given: str | None) -> Path:
    """Return the example table: the one given, or the repository's.

    Raises
    ------
    DataError
        If it is not here; an installed wheel does not carry it.
    """
    here = Path(__file__).resolve().parents[3]
    places = [Path(given)] if given else [EXAMPLE, here / EXAMPLE]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        where="demo",
        expected=f"the example table {places[0]}",
        got="no such file",
        remedy="Run it in a checkout of the repository, or name the table with --data.",
        code="DT295",
    )


def _write_parts(source: Path, folder: Path) -> tuple[Path, Path]:
    frame = read_table(source).frame
    if not {"split", TARGET} <= set(frame.columns):
        raise DataError(
            where=str(source),
            expected=f"the Adult income table, with columns 'split' and '{TARGET}'",
            got=f"columns {', '.join(frame.columns[:12])}",
            remedy="For a table of your own: drivetrain train DATA --target COLUMN.",
            code="DT2DG",
        )
    folder.mkdir(parents=True, exist_ok=True)
    past, new = folder / "past.csv", folder / "new.csv"
    is_past = frame["split"] == "train"
    frame.filter(is_past).write_csv(past)
    frame.filter(~is_past).write_csv(new)
    return past, new


def _first_row(table: Path, model: Model) -> dict[str, Any]:
    """Return the first row as a client would send it: numbers as numbers."""
    cells = read_table(table).frame.select(model.contract.names).row(0, named=True)
    return {
        column.name: float(cells[column.name])
        if column.kind == "number" and cells[column.name]
        else cells[column.name]
        for column in model.contract.columns
    }


def _linear(model: Model) -> float | None:
    measures = model.manifest.scorecard["measures"]
    linear: float | None = measures[0]["linear"]
    return linear


@contextmanager
def serving(bundle: str | Path) -> Iterator[str]:
    """Run ``drivetrain serve`` on a free port; give its URL; stop it as an operator would.

    Raises
    ------
    ResourceError
        If the server ends before it is ready.
    """
    words = [sys.executable, "-m", "drivetrain", "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            if process.stderr is None:  # never: it is a pipe
                raise RuntimeError("no pipe")
            said = []
            for line in process.stderr:
                said.append(line.strip())
                if "http://" in line:
                    break
            else:
                raise ResourceError(
                    where="drivetrain serve",
                    expected="a server that gets ready",
                    got=said[-1] if said else f"exit status {process.wait()}",
                    remedy=f"Run drivetrain serve {bundle} to see why.",
                    code="DT3D0",
                )
            yield said[-1].split()[-1]
        finally:
            process.terminate()


def ask(url: str, row: dict[str, Any]) -> list[float]:
    """Send one row to ``/invocations`` and return its probabilities."""
    body = {"dataframe_records": [row], "params": {"method": "predict_proba"}}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(
            "POST", "/invocations", json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return [float(share) for share in answer["predictions"][0]]


def _expect_same(served: list[float], in_process: Any) -> None:
    if not np.array_equal(np.asarray(served, dtype=np.float32), in_process):
        raise GateError(
            where="the served answer",
            expected=f"{in_process.tolist()}, as in this process",
            got=str(served),
            remedy="Report it: one graph has to give one answer.",
            code="DT1D1",
        )
