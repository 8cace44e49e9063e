"""The last stage of ``train``: from a Program to a bundle that is proved, judged and measured."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from drivetrain import __version__
from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.manifest import CARD_FILE, Lineage, Manifest, Proof
from drivetrain.evaluate.promises import asked_of
from drivetrain.evaluate.scorecard import Scorecard, constant_baseline, scorecard
from drivetrain.lifecycle.training.header import packages
from drivetrain.lifecycle.training.model import FittedModel
from drivetrain.lifecycle.training.places import Places
from drivetrain.lifecycle.training.prove import Proved
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.lifecycle.training.settings import LatencyResult, TrainSettings
from drivetrain.lifecycle.training.sketches import sketch_reference
from drivetrain.lifecycle.training.speed import LIMIT_S, SHARE, measure
from drivetrain.lifecycle.training.stages import Run
from drivetrain.monitor.reference import REFERENCE_FILE
from drivetrain.report.card import render_card
from drivetrain.report.page import REPORT_FILE, render_report
from drivetrain.runtime.bundle import Bundle
from drivetrain.runtime.model import Model

VECTOR_ROWS = 24


@dataclass(frozen=True)
class Shipped:
    """A written bundle and what was found about it on the way."""

    manifest: Manifest
    scorecard: Scorecard
    latency: LatencyResult
    size_bytes: int


def ship(
    run: Run,
    searched: FittedModel,
    judged: Proved,
    shipping: Proved,
    places: Places,
    *,
    latency: LatencyResult | None = None,
) -> Shipped:
    """Evaluate a graph on the holdout, measure the one that ships, and write the bundle.

    Parameters
    ----------
    searched
        What the search chose, with its out-of-fold answers.
    judged
        Has not seen the holdout: the scores are its, and so are the sketches of its predictions.
    shipping
        What the bundle holds: the same, or the same Recipes fitted on every row.
    latency
        The measurement by which it is within the user's limits; None takes one.
    """
    rows, settings, reporter = run.rows, run.settings, run.reporter
    fitted, graph = shipping.fitted, shipping.graph
    draft = _draft(rows, fitted, shipping.proof, settings, places)
    model = Model(Bundle(path=places.bundle, manifest=draft, model=graph, vectors=b""))
    honest = model
    if judged is not shipping:
        honest = Model(Bundle(path=places.bundle, manifest=draft, model=judged.graph, vectors=b""))
    reporter.say("evaluate", f"scoring {rows.holdout.rows:,} rows through the graph")
    with run.clock.stage("evaluation"):
        card = _scored(rows, fitted, honest)
    with run.clock.stage("speed"):
        limit_s = min(LIMIT_S, SHARE * settings.time_limit)
        latency = latency or measure(model, rows.frame.drop(rows.target.name), limit_s)
    measured = _measured(run, fitted, latency)
    reporter.say("write", f"writing {places.bundle}")
    whole = msgspec.structs.replace(draft, scorecard=msgspec.to_builtins(card), measured=measured)
    manifest = write_bundle(
        places.bundle,
        whole,
        graph,
        _vectors(model, rows),
        extra={
            REFERENCE_FILE: sketch_reference(rows, searched, judged, shipping, honest),
            REPORT_FILE: render_report(
                whole, msgspec.to_builtins(fitted.leaderboard), fitted.front
            ),
            CARD_FILE: render_card(whole),
        },
        overwrite=settings.overwrite,
    )
    return Shipped(
        manifest=manifest, scorecard=card, latency=latency, size_bytes=size_of(places.bundle)
    )


def _scored(rows: Rows, fitted: FittedModel, honest: Model) -> Scorecard:
    """Score the graph that has not seen the holdout on it."""
    manifest = honest.manifest
    return scorecard(
        honest,
        rows.contract,
        rows.holdout.columns,
        rows.holdout.y,
        metric=fitted.metric,
        constant=constant_baseline(rows.training.y, rows.target, rows.training.weight),
        linear=fitted.linear,
        asked=asked_of(manifest.lineage.settings, manifest.classes),
        weight=rows.holdout.weight,
        seed=manifest.lineage.seed,
    )


def _measured(run: Run, fitted: FittedModel, latency: LatencyResult) -> dict[str, Any]:
    """Return what the manifest tells of clocks and choices, outside of the content hash."""
    return {
        "latency": msgspec.to_builtins(latency),
        "leaderboard": msgspec.to_builtins(fitted.leaderboard),
        "front": msgspec.to_builtins(fitted.front),
        "given_up": msgspec.to_builtins(fitted.given_up),
        "stages_s": {name: round(taken, 3) for name, taken in run.clock.taken_s.items()},
        "machine": {"system": platform.platform(), "processor": platform.machine()},
    }


def model_of(run: Run, proved: Proved) -> Model:
    """Return a graph as a bundle would answer with it, before there is one."""
    places = Places(bundle=Path(), run=Path())
    draft = _draft(run.rows, proved.fitted, proved.proof, run.settings, places)
    return Model(Bundle(path=Path(), manifest=draft, model=proved.graph, vectors=b""))


def size_of(bundle: Path) -> int:
    """Return the bytes of all files of a bundle."""
    return sum(file.stat().st_size for file in bundle.iterdir())


def _draft(
    rows: Rows, fitted: FittedModel, proof: Proof, settings: TrainSettings, places: Places
) -> Manifest:
    return Manifest(
        drivetrain=__version__,
        name=settings.name or rows.target.name,
        contract=rows.contract,
        outputs=fitted.program.head.outputs,
        metric=fitted.metric.name,
        scorecard={},
        recipes=tuple(
            {
                **msgspec.to_builtins(member.recipe),
                "key": member.trial.key,
                "weight": member.weight,
                "folds": len(member.trial.folds),
                "score": member.trial.score,
                "details": member.trial.details,
            }
            for member in fitted.members
        ),
        proof=proof,
        lineage=Lineage(
            data_fingerprint=rows.fingerprint,
            rows=rows.training.rows + rows.holdout.rows,
            source=rows.source,
            settings=_settings(settings),
            packages={name: v for name, v in packages().items() if name != "python"},
            python=platform.python_version(),
            seed=settings.seed,
        ),
        decisions=(*rows.decisions, *fitted.decisions),
        findings=rows.findings,
    )


def _settings(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings as they were used; the place of the bundle is no part of what it is."""
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(settings, out=None))
    return plain


def _vectors(model: Model, rows: Rows) -> bytes:
    """Take rows from all over the holdout, and what the model answers to them."""
    count = rows.holdout.rows
    chosen = np.unique(np.linspace(0, count - 1, min(VECTOR_ROWS, count)).astype(np.int64))
    columns = {name: values[chosen] for name, values in rows.holdout.columns.items()}
    raw = rows.frame[chosen].to_dicts()
    return make_vectors(rows.contract, raw, columns, model.run(columns))
