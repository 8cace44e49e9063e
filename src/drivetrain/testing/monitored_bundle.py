"""A bundle whose chances are true, and prediction logs of it: for tests of watching."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.arrays import Array
from drivetrain.core.contract import Contract
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof
from drivetrain.evaluate.scorecard import scorecard
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.program import Member, Program, lower
from drivetrain.monitor.reference import REFERENCE_FILE, make_reference
from drivetrain.runtime.session import Session
from drivetrain.testing.monitored import CITIES, Rows, monitored_contract, monitored_rows

HELD_OUT = 6000
START_US = 1_767_225_600_000_000  # 2026-01-01
DAY_US = 86_400_000_000


def write_monitored_bundle(
    path: str | Path, *, weights: tuple[float, float] = (1.0, 1.0)
) -> Manifest:
    """Write the binary model of :func:`drivetrain.testing.monitored.monitored_rows`.

    ``weights`` are those of age and city; with others than 1 the model is worse than the truth.
    """
    contract = monitored_contract("binary")
    model = lower(Program(contract, (_member(weights),)))
    held_out = monitored_rows(HELD_OUT, seed=0)
    session = Session(model, threads=1)
    outputs = session.run(held_out.columns, HELD_OUT)
    card = scorecard(
        _Runs(session), contract, held_out.columns, held_out.y, metric="auc",
        constant=np.array([0.5, 0.5]),
    )  # fmt: skip
    some = {name: values[:8] for name, values in held_out.columns.items()}
    reference = make_reference(contract, held_out.columns, outputs, held_out.y)
    manifest = msgspec.structs.replace(_manifest(contract), scorecard=msgspec.to_builtins(card))
    vectors = make_vectors(contract, raw_rows(some), some, session.run(some, 8))
    return write_bundle(path, manifest, model, vectors, extra={REFERENCE_FILE: reference})


class _Runs:
    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, columns: dict[str, Array]) -> dict[str, Array]:
        return self._session.run(columns, len(columns["age"]))


def _member(weights: tuple[float, float]) -> Member:
    codes = 0.3 * (np.arange(len(CITIES), dtype=np.float32) - 3.5)
    encoders = (
        (Number("age", "features", fill=0.0),),
        (Lookup("city", "features", CITIES, codes[:, None], np.zeros(1, np.float32)),),
    )
    linear = Linear(np.array(weights)[:, None], np.zeros(1))
    return Member("linear", encoders, ((linear,),), "sigmoid")


def raw_rows(columns: dict[str, Array]) -> list[dict[str, Any]]:
    """Return typed columns as the cells that a client sends."""
    rows = []
    for place in range(len(columns["age"])):
        row = {name: values[place] for name, values in columns.items()}
        row = {name: v.tolist() if hasattr(v, "tolist") else v for name, v in row.items()}
        row["seen"] = np.datetime64(row["seen"], "us").item()
        row["member"] = bool(row["member"])
        if np.isnan(row["income"]):
            row["income"] = None
        rows.append(row)
    return rows


def _manifest(contract: Contract) -> Manifest:
    return Manifest(
        drivetrain="0",
        name="monitored",
        contract=contract,
        outputs=(
            Output(name="prediction", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, 2)),
        ),
        metric="auc",
        scorecard={},
        recipes=(),
        proof=Proof(rows=0, adversarial_rows=0, max_abs_diff=0.0, tolerance=1e-5, label_flips=0),
        lineage=Lineage(
            data_fingerprint="", rows=0, source="random", settings={}, packages={}, python="",
            seed=0,
        ),
    )  # fmt: skip


def write_segment(
    folder: Path,
    rows: Rows,
    *,
    content_hash: str,
    start_us: int = START_US,
    duration_us: int = DAY_US,
    classes: Sequence[str] = ("no", "yes"),
    leave_out: Sequence[str] = (),
    role: str = "answer",
    name: str | None = None,
) -> list[str]:
    """Write rows as one closed segment of a prediction log, as docs/decisions/0020 has it.

    Returns
    -------
    list of str
        The prediction ids, in the order of the rows, which are spread evenly over the duration.
    """
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    count = len(rows.y)
    at_us = start_us + (np.arange(count) * (duration_us / max(1, count))).astype(np.int64)
    ids = [f"{at // 1000:012x}"[:8] + f"-{at // 1000:012x}"[9:] + f"-7000-8000-{place:012x}"
           for place, at in enumerate(at_us.tolist())]  # fmt: skip
    data: dict[str, Any] = {
        "prediction_id": ids,
        "at_us": at_us,
        "content_hash": [content_hash] * count,
        "version": pl.Series([None] * count, dtype=pl.String),
        "role": [role] * count,
    }
    for column, values in rows.columns.items():
        if column not in leave_out:
            data[f"input.{column}"] = _logged(values)
    data["prediction"] = rows.outputs["prediction"].tolist()
    for place, label in enumerate(classes):
        data[f"probability.{label}"] = rows.outputs["probabilities"][:, place].astype(np.float32)
    pl.DataFrame(data).write_parquet(folder / (name or f"{start_us:020d}-w0-1.parquet"))
    return ids


def _logged(values: Array) -> Any:
    """Return a typed column as the log has it: null where missing."""
    import polars as pl

    if values.dtype == object:
        return [text or None for text in values.tolist()]
    if values.ndim == 2:
        return values.tolist()
    if values.dtype == np.float64:
        return pl.Series(values).fill_nan(None)
    return values
