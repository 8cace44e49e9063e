"""Evaluate a bundle on labelled rows, through its graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Target
from drivetrain.core.errors import BundleError, ContractError, DataError
from drivetrain.core.manifest import Manifest
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.data.sample import RowSample
from drivetrain.data.stream import Piece, located, stream_table
from drivetrain.evaluate.promises import asked_of
from drivetrain.evaluate.scorecard import Scorecard, scorecard
from drivetrain.lifecycle.predict import BreachCount, breach_counts
from drivetrain.runtime.admit import Breaches, admit_target
from drivetrain.runtime.model import Model
from drivetrain.stats.metrics import Metric, metric_of_bundle

PIECE_ROWS = 20_000
_TARGET = "\0target"  # no column of a table is called so


class EvaluateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain evaluate``."""

    metric: Annotated[
        str | None, msgspec.Meta(description="main metric; the bundle's own if not given")
    ] = None
    minimum_rows: Annotated[
        int, msgspec.Meta(description="smallest part of the rows to judge on its own", ge=2)
    ] = 50
    seed: Annotated[int, msgspec.Meta(description="seed of the bootstrap", ge=0)] = 0
    most_rows: Annotated[
        int,
        msgspec.Meta(
            description="rows to score; of a longer table a random sample of so many is scored",
            ge=2,
        ),
    ] = 500_000


class EvaluateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The Scorecard of a bundle on a table; ``score`` is the main metric.

    ``rows`` are all that were read, breaches among them counted; the Scorecard has the number that
    were scored.
    """

    bundle: str
    data: str
    rows: int
    metric: str
    score: float
    score_low: float  # 95 % interval
    score_high: float
    scorecard: Scorecard
    breaches: tuple[BreachCount, ...]
    elapsed_s: float


def evaluate(
    bundle: str | Path,
    data: Any,
    *,
    metric: str | Metric | None = None,
    progress: Listener = silent,
    **settings: Any,
) -> EvaluateResult:
    """Score a bundle on a table that holds the target.

    Everything is scored through the bundle's graph, which is what predicts in production. The
    constant baseline is that of the training data. Take rows that training has not seen: on rows
    it has, every score flatters. The table is read in pieces: memory does not grow with it.

    Parameters
    ----------
    bundle
        A bundle's folder.
    data
        A path or a frame, as :func:`drivetrain.data.read.read_table` takes.
    metric
        The main metric, by name or as a :class:`~drivetrain.stats.metric.Metric` of your own.
    settings
        Other fields of :class:`EvaluateSettings`.

    Raises
    ------
    DataError
        If the table cannot be read, or has no target, or rows without one.
    ContractError
        If a row breaches the Contract where its policy says reject.
    SettingError
        If the metric is not of the bundle's task.

    Examples
    --------
    ::

        dt.evaluate("income.bundle", "labelled.csv").score
    """
    given = {**settings, "metric": metric} if isinstance(metric, str) else settings
    chosen = build(EvaluateSettings, given, source="evaluate()")
    reporter = Reporter(progress)
    model = Model.load(bundle)
    target = target_of(model.manifest)
    source = Path(data).name if isinstance(data, (str, Path)) else "dataframe"
    sample = RowSample(chosen.most_rows, seed=chosen.seed)
    counted = _read(data, source, model, target, sample, reporter)
    columns = sample.columns()
    y = columns.pop(_TARGET)
    reporter.say("evaluate", "scoring through the graph")
    card = scorecard(
        model,
        model.contract,
        columns,
        y,
        metric=metric_of_bundle(model.manifest.metric, target.task, metric),
        constant=np.array(training_scorecard(model.manifest).constant),
        minimum_rows=chosen.minimum_rows,
        asked=asked_of(model.manifest.lineage.settings, model.manifest.classes),
        seed=chosen.seed,
    )
    return EvaluateResult(
        bundle=str(bundle),
        data=source,
        rows=sample.seen,
        metric=card.metric,
        score=card.score.score,
        score_low=card.score.low,
        score_high=card.score.high,
        scorecard=card,
        breaches=breach_counts(counted),
        elapsed_s=reporter.elapsed_s,
    )


def _read(
    data: Any, source: str, model: Model, target: Target, sample: RowSample, reporter: Reporter
) -> Breaches:
    """Admit every row into the sample, and count the breaches of all of them."""
    counted: Breaches = {}
    for piece in stream_table(data, rows=PIECE_ROWS):
        columns, breaches = _admitted(model, target, piece, source)
        sample.add(columns)
        for place, count in breaches.items():
            counted[place] = counted.get(place, 0) + count
        reporter.say("read", f"{sample.seen:,} rows", done=piece.done, total=1.0)
    return counted


def _admitted(model: Model, target: Target, piece: Piece, source: str) -> tuple[Columns, Breaches]:
    """Return typed columns of a piece, the target's numbers with them."""
    names = list(piece.rows) if isinstance(piece.rows, dict) else list(piece.rows.columns)
    if target.name not in names:
        raise DataError(
            where=source,
            expected=f"the target, column '{target.name}'",
            got=f"columns {', '.join(names[:12])}",
            remedy="Give labelled rows; 'predict' needs no labels.",
            code="DT2DE",
        )
    try:
        y = admit_target(target, piece.rows[target.name])
        admitted = model.admit(piece.rows)
    except (ContractError, DataError) as error:
        raise located(error, source, piece.first) from error
    return {**admitted.columns, _TARGET: y}, admitted.breaches


def training_scorecard(manifest: Manifest) -> Scorecard:
    """Return the Scorecard on the holdout that training sealed in the bundle.

    Raises
    ------
    BundleError
        If it is not of the form that this version writes.
    """
    try:
        return msgspec.convert(manifest.scorecard, Scorecard)
    except msgspec.ValidationError as error:
        raise BundleError(
            where=f"manifest of '{manifest.name}', scorecard",
            expected="the Scorecard of training",
            got=str(error),
            remedy="Train the bundle anew with this version.",
            code="DT249",
        ) from error


def target_of(manifest: Manifest) -> Target:
    """Return the target of a bundle; BundleError if it has none."""
    if manifest.contract.target is None:
        raise BundleError(
            where=f"manifest of '{manifest.name}', contract",
            expected="a target",
            got="none",
            remedy="Evaluate a bundle that was trained on a target.",
            code="DT249",
        )
    return manifest.contract.target
