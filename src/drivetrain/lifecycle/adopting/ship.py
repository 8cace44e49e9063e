"""The last stage of ``adopt``: evaluate, measure, and write the bundle."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from drivetrain import __version__
from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.arrays import FloatVector
from drivetrain.core.findings import Decision
from drivetrain.core.manifest import Lineage, Manifest, Proof
from drivetrain.data.read import fingerprint
from drivetrain.evaluate.answers import ask
from drivetrain.evaluate.promises import Promises, asked_of, check_promises
from drivetrain.evaluate.scorecard import Scorecard, constant_baseline, scorecard
from drivetrain.graph.adopted import Adopted
from drivetrain.graph.signature import Signature
from drivetrain.lifecycle.adopting.answers import halves
from drivetrain.lifecycle.adopting.inputs import AdoptedRows, target_in
from drivetrain.lifecycle.adopting.settings import AdoptSettings
from drivetrain.lifecycle.training.header import packages
from drivetrain.lifecycle.training.settings import LatencyResult
from drivetrain.lifecycle.training.ship import VECTOR_ROWS, size_of
from drivetrain.lifecycle.training.speed import measure
from drivetrain.monitor.reference import REFERENCE_FILE, make_reference
from drivetrain.runtime.bundle import Bundle
from drivetrain.runtime.explain.quantity import rows_of
from drivetrain.runtime.model import Model
from drivetrain.stats.metric import Metric


@dataclass(frozen=True)
class ShippedAdoption:
    """A written bundle and what was found about it on the way."""

    scorecard: Scorecard
    latency: LatencyResult
    size_bytes: int


def ship_adopted(
    adopted: Adopted,
    graph: bytes,
    proof: Proof,
    rows: AdoptedRows,
    y: FloatVector,
    *,
    signature: Signature,
    metric: Metric,
    decisions: tuple[Decision, ...],
    settings: AdoptSettings,
) -> ShippedAdoption:
    """Judge the graph on the given rows, measure it, and write the bundle.

    The constant baseline is that of the given rows: those of training are not at hand.
    """
    place = Path(settings.out)
    draft = _draft(adopted, proof, rows, y, signature, metric, decisions, settings)
    model = Model(Bundle(path=place, manifest=draft, model=graph, vectors=b""))
    card = scorecard(
        model,
        adopted.contract,
        rows.columns,
        y,
        metric=metric,
        constant=constant_baseline(y, target_in(adopted.contract)),
        seed=settings.seed,
    )
    card = msgspec.structs.replace(card, promises=_promised(model, rows, y, settings))
    latency = measure(model, rows.frame.drop(settings.target))
    outputs = model.run(rows.columns)
    write_bundle(
        place,
        msgspec.structs.replace(
            draft,
            scorecard=msgspec.to_builtins(card),
            measured={
                "latency": msgspec.to_builtins(latency),
                "machine": {"system": platform.platform(), "processor": platform.machine()},
            },
        ),
        graph,
        _vectors(model, rows),
        extra={REFERENCE_FILE: make_reference(adopted.contract, rows.columns, outputs, y)},
        overwrite=settings.overwrite,
    )
    return ShippedAdoption(card, latency, size_of(place))


def _promised(
    model: Model, rows: AdoptedRows, y: FloatVector, settings: AdoptSettings
) -> Promises | None:
    """Look whether what was asked came true, on the rows that it was not chosen on."""
    judging = halves(len(y), settings.seed)[1]
    target, columns = target_in(model.contract), rows_of(rows.columns, judging)
    asked = asked_of(msgspec.to_builtins(settings), target.classes)
    return check_promises(y[judging], ask(model, target, columns), target, asked)


def _draft(
    adopted: Adopted,
    proof: Proof,
    rows: AdoptedRows,
    y: FloatVector,
    signature: Signature,
    metric: Metric,
    decisions: tuple[Decision, ...],
    settings: AdoptSettings,
) -> Manifest:
    recipe: dict[str, Any] = {
        "family": "adopted",
        "producer": signature.producer,
        "sha256": hashlib.sha256(adopted.model).hexdigest(),
        "inputs": {feed.name: list(feed.columns) for feed in adopted.feeds},
        "output": adopted.output,
        "link": adopted.link,
        "weight": 1.0,
        "folds": 1,
    }
    return Manifest(
        drivetrain=__version__,
        name=settings.name or settings.target,
        contract=adopted.contract,
        outputs=adopted.head.outputs,
        metric=metric.name,
        scorecard={},
        recipes=(recipe,),
        proof=proof,
        lineage=Lineage(
            data_fingerprint=fingerprint(rows.columns, y),
            rows=len(y),
            source=rows.source,
            settings=msgspec.to_builtins(
                msgspec.structs.replace(settings, out="", overwrite=False)
            ),
            packages={name: number for name, number in packages().items() if name != "python"},
            python=platform.python_version(),
            seed=settings.seed,
        ),
        decisions=decisions,
    )


def _vectors(model: Model, rows: AdoptedRows) -> bytes:
    """Take rows from all over the table, and what the model answers to them."""
    count = rows.frame.height
    chosen = np.unique(np.linspace(0, count - 1, min(VECTOR_ROWS, count)).astype(np.int64))
    columns = {name: cells[chosen] for name, cells in rows.columns.items()}
    raw = rows.frame[chosen].to_dicts()
    return make_vectors(model.contract, raw, columns, model.run(columns))
