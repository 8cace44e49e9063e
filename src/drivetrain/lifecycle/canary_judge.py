"""Judge a canary: by labels on the same rows where they come, else by what can be estimated.

The order of the questions is that of harm: does a server refuse it, does it fail or dawdle, do
labels show it to be worse, and only then whether enough was seen to promote it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import polars as pl

from drivetrain.core.contract import Target
from drivetrain.core.errors import DataError
from drivetrain.evaluate.answers import ask
from drivetrain.evaluate.believable import SHARE, doubt
from drivetrain.evaluate.comparison import Paired, Sides, compare_answers, default_margins
from drivetrain.lifecycle.canary import challenger_of
from drivetrain.lifecycle.evaluate import target_of, training_scorecard
from drivetrain.lifecycle.labelled import labelled_log
from drivetrain.lifecycle.watch import WatchSettings, baseline_of, watched_metric
from drivetrain.monitor.alarm import is_worse, tolerance_of
from drivetrain.monitor.estimate import Estimate, estimate
from drivetrain.monitor.health import harm, read_health
from drivetrain.monitor.labels import LABELS_FOLDER, LabelStore
from drivetrain.monitor.lateness import usual_delay_us
from drivetrain.monitor.log import PredictionLog
from drivetrain.monitor.realise import FEWEST_LABELS, realise
from drivetrain.monitor.reference import read_reference
from drivetrain.monitor.watched import Realised
from drivetrain.monitor.window import Sketcher, WindowSketch
from drivetrain.monitor.windows import label_numbers
from drivetrain.registry.address import now_us
from drivetrain.registry.entries import CHAMPION, Entry
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.model import Model
from drivetrain.stats.intervals import Interval
from drivetrain.stats.metrics import find_metric, usual_metric
from drivetrain.stats.tally import Tally

LEVEL = 0.95  # of the paired interval: compare has asked for 99 % before
PATIENCE = 4  # times the rows asked for; then the sign of the gain decides
TIMELY = 2.0  # times the usual delay of labels; later they are not waited for
FEWEST_ROWS = 50  # of a canary's unlabelled answers
SLOWER = 1.5  # as compare has it

Decision: TypeAlias = Literal["wait", "promote", "take back"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the two answered since the canary began."""

    rows: int
    realised: Realised | None


class CanaryState(msgspec.Struct, frozen=True, kw_only=True):
    """How a canary stands: go on, promote or take back, and why.

    ``paired`` is of both graphs on every labelled row since it began, whoever answered it.
    """

    decision: Decision
    told: str
    champion: Side | None = None
    challenger: Side | None = None
    paired: Paired | None = None
    estimates: tuple[Estimate | None, Estimate | None] | None = None


@dataclass(frozen=True)
class _Canary:
    """Both models, and the log since the canary began."""

    old: Model
    new: Model
    log: Path
    since_us: int
    rows: int  # asked for
    labels: float  # share of the champion's lead that they must show

    @property
    def target(self) -> Target:
        return target_of(self.old.manifest)


def judge_canary(
    book: Ledger,
    name: str,
    log: str | Path,
    begun: Entry,
    *,
    rows: int,
    slower: float = SLOWER,
    labels: float = SHARE,
) -> CanaryState:
    """Say whether a canary goes on, from what both answered since it began.

    A server that refused the document takes it back at once, and so do requests that fail or take
    long where the champion's do not. With labels both graphs are run on
    the same rows, all that were labelled since; where the log lacks columns for that, each is
    scored on the rows that it answered. Without labels, and later than labels usually come, the
    challenger is taken back where its estimated metric is surely worse than in training and than
    the champion's. It is promoted after ``rows`` answers of its own, and as many labels.

    Parameters
    ----------
    slower
        Most of the champion's time for a request.
    labels
        Least share of the champion's lead over a constant for labels to be believed: others wait.
    """
    refused = [
        entry for entry in book.history(name, kind="deployment", subject=begun.subject)
        if entry.id > begun.id and entry.body["state"] == "refused"
    ]  # fmt: skip
    if refused:
        return CanaryState(decision="take back", told=f"a server: {refused[-1].body['detail']}")
    champion, challenger = (
        Model.load(book.version(name, which).location) for which in (CHAMPION, challenger_of(begun))
    )
    canary = _Canary(
        champion, challenger, Path(log), since_us=begun.at_us, rows=rows, labels=labels
    )
    old, new = _side(canary, champion), _side(canary, challenger)
    known: dict[str, Any] = {"champion": old, "challenger": new}
    health = read_health(log, since_us=begun.at_us)
    tallies = [health.get(m.manifest.content_hash, Tally()) for m in (champion, challenger)]
    if harmed := harm(*tallies, slower=slower):
        return CanaryState(decision="take back", told=harmed, **known)
    paired, doubted = _paired(canary)
    if doubted:
        told = f"labels of the canary's time are not believable: {doubted}"
        return CanaryState(decision="wait", told=told, paired=paired, **known)
    if paired is not None:
        decision, told = _by_labels(canary, paired, new)
        return CanaryState(decision=decision, told=told, paired=paired, **known)
    if old.realised is not None and new.realised is not None:
        decision, told = _apart(canary, old.realised, new)
        return CanaryState(decision=decision, told=told, **known)
    if new.rows < rows:
        told = f"{new.rows:,} of {rows:,} rows answered by the challenger"
        return CanaryState(decision="wait", told=told, **known)
    delay_us = usual_delay_us(*_labels(canary))
    age_us = now_us() - begun.at_us
    if delay_us is not None and age_us < TIMELY * delay_us:
        told = (
            f"{new.rows:,} rows answered; their labels usually come within {delay_us / 1e6:.0f} s"
        )
        return CanaryState(decision="wait", told=told, **known)
    return _unlabelled(canary, old, new)


def _by_labels(canary: _Canary, paired: Paired, new: Side) -> tuple[Decision, str]:
    """Decide on the same labelled rows."""
    gain, margin = paired.difference, paired.margins.margin
    told = (
        f"{paired.metric} {paired.challenger:.5g}, the champion's {paired.champion:.5g} on the "
        f"same {paired.rows:,} labelled rows, gain {gain.gain:+.4g} [{gain.low:+.4g}, "
        f"{gain.high:+.4g}]"
    )
    if paired.outcome == "worse" and gain.gain < -margin:
        return "take back", told
    if paired.rows < canary.rows or new.rows < canary.rows:
        return "wait", f"{told}; {new.rows:,} of {canary.rows:,} rows answered by the challenger"
    if paired.outcome in ("better", "not worse"):
        return "promote", told
    if paired.rows < PATIENCE * canary.rows:
        return "wait", f"{told}: not sure yet"
    return ("promote" if gain.gain > 0 else "take back"), told


def _paired(canary: _Canary) -> tuple[Paired | None, str]:
    """Run both graphs on the labelled rows since it began; None where that cannot be done.

    The text says why the labels are in doubt, if they are.
    """
    try:
        frame = labelled_log(canary.log, canary.old.manifest, since_us=canary.since_us)
    except DataError:  # no label yet
        return None, ""
    wanted = {*canary.old.contract.names, *canary.new.contract.names}
    if frame.height < FEWEST_LABELS or not wanted <= set(frame.columns):
        return None, ""
    target, manifest = canary.target, canary.old.manifest
    y = admit_target(target, frame[target.name])
    if target.task != "regression" and len(np.unique(y)) < 2:
        return None, ""
    columns = [model.admit(frame.drop(target.name)).columns for model in (canary.old, canary.new)]
    sides = Sides(y, ask(canary.old, target, columns[0]), ask(canary.new, target, columns[1]))
    metric = usual_metric(manifest.metric, target.task)
    doubted = ""
    if manifest.scorecard and canary.labels:
        card = training_scorecard(manifest)
        doubted = doubt(card, target, y, sides.champion, metric=metric, share=canary.labels)
    paired = compare_answers(sides, canary.old.contract, columns[0], metric=metric, level=LEVEL)
    return paired, doubted


def _apart(canary: _Canary, old: Realised, new: Side) -> tuple[Decision, str]:
    """Decide by each model's own labelled rows, which are others."""
    now = new.realised
    if now is None:
        return "wait", "no labels of the challenger's answers yet"
    metric = usual_metric(canary.old.manifest.metric, canary.target.task)
    gain = metric.gain(now.score) - metric.gain(old.score)
    unsure = math.hypot((old.high - old.low) / 2, (now.high - now.low) / 2)
    told = (
        f"realised {metric.name} {now.score:.5g} on {now.rows:,} rows, the champion's "
        f"{old.score:.5g} on {old.rows:,} others"
    )
    if -gain > max(default_margins(metric, old.score).margin, unsure):
        return "take back", told
    if now.rows >= canary.rows:
        return "promote", told
    return "wait", f"{told}; {now.rows:,} of {canary.rows:,} labelled rows of the challenger's"


def _unlabelled(canary: _Canary, old: Side, new: Side) -> CanaryState:
    """Decide by what the answers say of their quality, where no label has come in its time."""
    ours, theirs = (_estimated(canary, model) for model in (canary.new, canary.old))
    known: dict[str, Any] = {"champion": old, "challenger": new, "estimates": (theirs, ours)}
    if ours is None or not math.isfinite(ours.score):
        told = f"{new.rows:,} rows answered, no labels yet and too little to estimate quality by"
        return CanaryState(decision="wait", told=told, **known)
    told = (
        f"{new.rows:,} rows answered, no labels yet; estimated {ours.metric} {ours.score:.5g} "
        f"[{ours.low:.5g}, {ours.high:.5g}]"
    )
    metric = find_metric(ours.metric, canary.target.task)
    baseline = baseline_of(canary.new.manifest, metric)
    worse = is_worse(metric, baseline, ours, tolerance_of(metric, baseline))
    if theirs is not None:
        told = f"{told}, the champion's {theirs.score:.5g}"
        then = Interval(score=theirs.score, low=theirs.low, high=theirs.high)
        worse = worse and is_worse(metric, then, ours, tolerance_of(metric, then))
    if worse:
        told = f"{told}: surely worse than on the rows held out in training"
        return CanaryState(decision="take back", told=told, **known)
    return CanaryState(decision="promote", told=f"{told}: no breach", **known)


def _estimated(canary: _Canary, model: Model) -> Estimate | None:
    """Estimate the metric over all that a model answered since the canary began."""
    reference = read_reference(model.path, model.manifest)
    sketcher = Sketcher(model.contract, reference)
    seen = WindowSketch(rows=0)
    for chunk in _answers(canary, model).chunks(since_us=canary.since_us):
        seen = seen.merged(sketcher.sketch(chunk.columns, chunk.outputs))
    if seen.rows < FEWEST_ROWS:
        return None
    metric = watched_metric(model.manifest, canary.target, reference, WatchSettings())
    return estimate(canary.target, reference, seen, metric.name)


def _answers(canary: _Canary, model: Model) -> PredictionLog:
    return PredictionLog(canary.log, model.contract, model.manifest.content_hash)


def _labels(canary: _Canary) -> tuple[PredictionLog, LabelStore]:
    every = PredictionLog(canary.log, canary.old.contract, None)
    return every, LabelStore(canary.log / LABELS_FOLDER)


def _side(canary: _Canary, model: Model) -> Side:
    """Return how many rows a model has answered, and its metric on those with labels."""
    labels = _labels(canary)[1].read()
    rows, truth, answers, predicted = 0, [], [], []
    for chunk in _answers(canary, model).chunks(since_us=canary.since_us):
        rows += len(chunk.ids)
        ids = pl.DataFrame({"prediction_id": chunk.ids}, schema={"prediction_id": pl.String})
        joined = ids.join(labels, on="prediction_id", how="left", maintain_order="left")
        y = label_numbers(canary.target, joined["label"])
        known = ~np.isnan(y)
        truth.append(y[known])
        answers.append(chunk.outputs.get("probabilities", chunk.outputs["prediction"])[known])
        predicted.append(chunk.outputs["prediction"][known])
    if not rows:
        return Side(rows=0, realised=None)
    metric = usual_metric(model.manifest.metric, canary.target.task)
    real = realise(
        canary.target, metric, np.concatenate(truth), np.concatenate(answers),
        np.concatenate(predicted), rows=rows,
    )  # fmt: skip
    return Side(rows=rows, realised=real)
