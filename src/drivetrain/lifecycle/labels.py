"""Add labels that came late to the predictions they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core.contract import Target
from drivetrain.core.errors import DataError
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.data.read import Table, read_table
from drivetrain.lifecycle.watch import target_of
from drivetrain.monitor.labels import LABELS_FOLDER, Added, LabelStore
from drivetrain.monitor.log import PredictionLog
from drivetrain.registry.address import now_us
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.cells import canonical, is_missing

ID_COLUMN = "prediction_id"


class LabelsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of ``drivetrain labels``."""

    log: Annotated[str, msgspec.Meta(description="folder that the server logs to")]
    bundle: Annotated[str, msgspec.Meta(description="bundle that says what a label is")]
    id_column: Annotated[str, msgspec.Meta(description="column of prediction ids")] = ID_COLUMN
    label_column: Annotated[
        str | None,
        msgspec.Meta(description="column of labels; the target's, 'label', or the only other one"),
    ] = None


class LabelsResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the labels.

    ``unmatched`` counts ids of this file that no closed segment of the log holds (yet);
    ``waiting`` counts predictions of the log without a label.
    """

    file: str
    added: Added
    unlabelled: int  # rows of the file without an id or a label
    matched: int
    unmatched: int
    predictions: int
    waiting: int
    elapsed_s: float


def add_labels(
    file: Any,
    *,
    log: str | Path,
    bundle: str | Path,
    id_column: str = ID_COLUMN,
    label_column: str | None = None,
    progress: Listener = silent,
) -> LabelsResult:
    """Add the labels of a file; when this returns they are on disk.

    The same file may be added again, files in any order, and labels before their prediction's
    segment is closed.

    Parameters
    ----------
    file
        Path or frame with a column of prediction ids and one of labels.
    log, bundle
        The prediction log, and the bundle whose target the labels are of.

    Raises
    ------
    DataError
        If a column is not there, or a label is none of the target's: nothing is added then.
    """
    reporter = Reporter(progress)
    manifest = read_bundle(bundle).manifest
    target = target_of(manifest)
    table = read_table(file)
    ids, labels, unlabelled = _pairs(table, target, id_column, label_column)
    source = PredictionLog(log, manifest.contract, None)
    store = LabelStore(Path(log) / LABELS_FOLDER)
    added = store.add(ids, labels, at_us=now_us())
    reporter.say("labels", f"{added.new:,} new, {added.changed:,} changed, {added.same:,} known")
    predictions, matched, waiting = _matches(source, store, ids)
    return LabelsResult(
        file=table.source,
        added=added,
        unlabelled=unlabelled,
        matched=matched,
        unmatched=len(set(ids)) - matched,
        predictions=predictions,
        waiting=waiting,
        elapsed_s=round(reporter.elapsed_s, 3),
    )


def _pairs(
    table: Table, target: Target, id_column: str, label_column: str | None
) -> tuple[list[str], list[str], int]:
    """Return ids and canonical labels of the rows that have both, and how many have not."""
    label = _label_column(table, target, id_column, label_column)
    cells = table.frame[label].to_list()
    ids = table.frame[id_column].to_list()
    missing = set(target.missing_values)
    kept = [
        row
        for row, (identity, cell) in enumerate(zip(ids, cells, strict=True))
        if not is_missing(identity) and not is_missing(cell) and canonical(cell) not in missing
    ]
    if not kept:
        return [], [], len(ids)
    y = admit_target(target, table.frame[label][kept])
    if target.task == "regression":
        texts = [repr(float(value)) for value in y]
    else:
        texts = [target.classes[number] for number in y.astype(np.int64)]
    return [str(ids[row]).strip() for row in kept], texts, len(ids) - len(kept)


def _label_column(table: Table, target: Target, id_column: str, label_column: str | None) -> str:
    names = table.frame.columns
    others = [name for name in names if name != id_column]
    wanted = [label_column] if label_column else [target.name, "label", *others[:1]]
    if label_column is None and len(others) != 1:
        wanted = wanted[:2]
    found = next((name for name in wanted if name in names), None)
    if id_column not in names or found is None:
        absent = id_column if id_column not in names else (label_column or target.name)
        option = "--id-column" if id_column not in names else "--label-column"
        raise DataError(
            where=table.source,
            expected=f"column '{absent}'",
            got=f"columns {', '.join(names[:12])}",
            remedy=f"Name it with {option}.",
            code="DT2DF",
        )
    return found


def _matches(log: PredictionLog, store: LabelStore, ids: list[str]) -> tuple[int, int, int]:
    """Return predictions in the log, how many of ``ids`` are among them, and how many wait."""
    import polars as pl

    given = pl.DataFrame({ID_COLUMN: ids}, schema={ID_COLUMN: pl.String}).unique()
    known = store.read().select(ID_COLUMN)
    predictions = matched = labelled = 0
    for part in log.ids():
        predictions += part.height
        matched += part.join(given, on=ID_COLUMN, how="semi").height
        labelled += part.join(known, on=ID_COLUMN, how="semi").height
    return predictions, matched, predictions - labelled
