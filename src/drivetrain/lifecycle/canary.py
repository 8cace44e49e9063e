"""A challenger on a share of the traffic: begun, judged and ended by a document in the ledger."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl

from drivetrain.core.manifest import Manifest
from drivetrain.core.progress import Reporter, silent
from drivetrain.evaluate.comparison import default_margins
from drivetrain.lifecycle.evaluate import target_of
from drivetrain.lifecycle.watch import WatchSettings, look
from drivetrain.monitor.labels import LABELS_FOLDER, LabelStore
from drivetrain.monitor.log import PredictionLog
from drivetrain.monitor.realise import realise
from drivetrain.monitor.watched import Realised
from drivetrain.monitor.windows import label_numbers
from drivetrain.registry.entries import CHALLENGER, CHAMPION, DesiredBody, Entry
from drivetrain.registry.ledger import Ledger
from drivetrain.registry.located import LEDGER
from drivetrain.runtime.bundle import read_bundle
from drivetrain.stats.metrics import find_metric

WINDOWS, FEWEST_ROWS = 4, 50  # of a canary's unlabelled answers


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the two answered since the canary began."""

    rows: int
    realised: Realised | None


class CanaryState(msgspec.Struct, frozen=True, kw_only=True):
    """How a canary stands: go on, promote or take back, and why."""

    decision: Literal["wait", "promote", "take back"]
    told: str
    champion: Side | None = None
    challenger: Side | None = None


def challenger_of(document: Entry | None) -> int:
    """Return the version that has a share beside the champion; 0 for none."""
    if document is None:
        return 0
    address: str = document.body["document"]["bundles"].get(CHALLENGER, "")
    return int(address.rpartition("@")[2]) if address else 0


def begin_canary(book: Ledger, name: str, deployment: str, version: int, share: float) -> Entry:
    """Give a version a share of the requests; servers of the deployment see it within a second."""
    bundles = {CHAMPION: f"{LEDGER}{name}@{CHAMPION}", CHALLENGER: f"{LEDGER}{name}@{version}"}
    document = {"bundles": bundles, "shares": {CHAMPION: 100 - share, CHALLENGER: share}}
    reason = f"canary of version {version}, {share:g} % of the requests"
    return _desire(book, name, deployment, document, reason)


def champion_only(book: Ledger, name: str, deployment: str, reason: str) -> Entry:
    """Let the champion answer everything, whichever version it is."""
    document = {"bundles": {CHAMPION: f"{LEDGER}{name}@{CHAMPION}"}}
    return _desire(book, name, deployment, document, reason)


def _desire(
    book: Ledger, name: str, deployment: str, document: dict[str, Any], reason: str
) -> Entry:
    now = book.desired(name, deployment)
    return book.desire(
        name, deployment, DesiredBody(document=document, reason=reason),
        expected_revision=0 if now is None else now.revision,
    )  # fmt: skip


def judge_canary(
    book: Ledger, name: str, log: str | Path, begun: Entry, *, rows: int
) -> CanaryState:
    """Say whether a canary goes on, from what both answered since it began.

    A server that refused the document takes it back at once. With labels, the challenger is taken
    back when its realised metric is surely worse than the champion's by more than the margin, and
    without any when its estimated metric is surely worse than it was in training; otherwise it is
    promoted after ``rows`` answers (labelled ones, where labels have come for the champion).
    """
    refused = [
        entry for entry in book.history(name, kind="deployment", subject=begun.subject)
        if entry.id > begun.id and entry.body["state"] == "refused"
    ]  # fmt: skip
    if refused:
        return CanaryState(decision="take back", told=f"a server: {refused[-1].body['detail']}")
    manifests = [
        read_bundle(book.version(name, which).location).manifest
        for which in (CHAMPION, challenger_of(begun))
    ]
    old, new = (_side(log, manifest, begun.at_us) for manifest in manifests)
    if old.realised is not None and new.realised is not None:
        metric = find_metric(manifests[0].metric, target_of(manifests[0]).task)
        gain = metric.gain(new.realised.score) - metric.gain(old.realised.score)
        unsure = math.hypot(_half(old.realised), _half(new.realised))
        told = (
            f"realised {metric.name} {new.realised.score:.5g} on {new.realised.rows:,} rows, the "
            f"champion's {old.realised.score:.5g} on {old.realised.rows:,}"
        )
        if -gain > max(default_margins(metric, old.realised.score).margin, unsure):
            return CanaryState(decision="take back", told=told, champion=old, challenger=new)
        if new.realised.rows >= rows:
            return CanaryState(decision="promote", told=told, champion=old, challenger=new)
    elif new.rows >= rows and old.realised is None:
        return _unlabelled(book.version(name, challenger_of(begun)).location, log, old, new)
    told = f"{new.rows:,} of {rows:,} rows answered by the challenger"
    return CanaryState(decision="wait", told=told, champion=old, challenger=new)


def _unlabelled(bundle: str, log: str | Path, old: Side, new: Side) -> CanaryState:
    """Decide by what the challenger's own answers say of its quality, where no label has come."""
    window = WatchSettings(window=f"{max(new.rows // WINDOWS, FEWEST_ROWS)} rows", windows=WINDOWS)
    seen = look(
        bundle, log, msgspec.structs.replace(window, minimum_rows=FEWEST_ROWS), Reporter(silent)
    )
    judged = sum(
        one.estimate is not None and math.isfinite(one.estimate.score) for one in seen.windows
    )
    if not judged:
        told = f"{new.rows:,} rows answered, no labels yet and too little to estimate quality by"
        return CanaryState(decision="wait", told=told, champion=old, challenger=new)
    told = f"{new.rows:,} rows answered, no labels yet; estimated {seen.metric} of {judged} windows"
    if any(one.estimate_worse for one in seen.windows):
        told = f"{told}: surely worse than on the rows held out in training"
        return CanaryState(decision="take back", told=told, champion=old, challenger=new)
    told = f"{told}: no breach"
    return CanaryState(decision="promote", told=told, champion=old, challenger=new)


def _half(found: Realised) -> float:
    return (found.high - found.low) / 2


def _side(log: str | Path, manifest: Manifest, since_us: int) -> Side:
    """Return how many rows a bundle has answered, and its metric on those with labels."""
    target = target_of(manifest)
    labels = LabelStore(Path(log) / LABELS_FOLDER).read()
    rows, truth, answers, predicted = 0, [], [], []
    source = PredictionLog(log, manifest.contract, manifest.content_hash)
    for chunk in source.chunks(since_us=since_us):
        rows += len(chunk.ids)
        ids = pl.DataFrame({"prediction_id": chunk.ids}, schema={"prediction_id": pl.String})
        joined = ids.join(labels, on="prediction_id", how="left", maintain_order="left")
        y = label_numbers(target, joined["label"])
        known = ~np.isnan(y)
        truth.append(y[known])
        answers.append(chunk.outputs.get("probabilities", chunk.outputs["prediction"])[known])
        predicted.append(chunk.outputs["prediction"][known])
    if not rows:
        return Side(rows=0, realised=None)
    metric = find_metric(manifest.metric, target.task)
    real = realise(
        target, metric, np.concatenate(truth), np.concatenate(answers), np.concatenate(predicted),
        rows=rows,
    )  # fmt: skip
    return Side(rows=rows, realised=real)
