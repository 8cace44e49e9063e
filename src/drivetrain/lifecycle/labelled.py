"""Rows of the prediction log whose labels have come, as a table to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivetrain.core.arrays import MISSING_TIME, Array
from drivetrain.core.contract import Column
from drivetrain.core.errors import DataError
from drivetrain.core.manifest import Manifest
from drivetrain.lifecycle.evaluate import target_of
from drivetrain.monitor.labels import LABELS_FOLDER, LabelStore
from drivetrain.monitor.log import PredictionLog

if TYPE_CHECKING:
    import polars as pl


def labelled_log(
    log: str | Path, manifest: Manifest, *, since_us: int | None = None, time: str | None = None
) -> pl.DataFrame:
    """Join the log of all bundles with the labels; rows in their order of time.

    Columns are the inputs of ``manifest`` that the log holds, and the target.

    Parameters
    ----------
    time
        Name of one more column, which holds when a row was answered, where no input has that name.

    Raises
    ------
    DataError
        If there is no log, or no label has come.
    """
    import polars as pl

    target = target_of(manifest)
    labels = LabelStore(Path(log) / LABELS_FOLDER).read()
    source = PredictionLog(log, manifest.contract, None)
    parts, times = [], []
    for chunk in source.chunks(since_us=since_us):
        ids = pl.DataFrame({"prediction_id": chunk.ids}, schema={"prediction_id": pl.String})
        joined = ids.join(labels, on="prediction_id", how="left", maintain_order="left")["label"]
        known = joined.is_not_null()
        data = {
            column.name: _cells(column, chunk.columns[column.name])
            for column in manifest.contract.columns
            if column.name in chunk.columns
        }
        if time is not None:
            data.setdefault(time, pl.Series(chunk.at_us).cast(pl.Datetime("us", "UTC")))
        parts.append(pl.DataFrame({**data, target.name: joined}).filter(known))
        times.append(pl.Series(chunk.at_us).filter(known))
    rows = sum(part.height for part in parts)
    if not rows:
        raise DataError(
            where=f"prediction log {log}",
            expected="rows with labels",
            got="none",
            remedy="Add labels: drivetrain labels add FILE --log LOG --bundle BUNDLE.",
            code="DT2L4",
        )
    order = pl.concat(times).arg_sort()
    return pl.concat(parts, how="vertical_relaxed")[order]


def _cells(column: Column, values: Array) -> Any:
    """Return a typed column as a table holds it: null where missing."""
    import polars as pl

    if column.kind in ("category", "text"):
        return pl.Series([text or None for text in values.tolist()], dtype=pl.String)
    if column.kind == "datetime":
        series = pl.Series(values)
        return series.set(series == MISSING_TIME, None).cast(pl.Datetime("us", "UTC"))
    if column.kind == "vector":
        return pl.Series(values.tolist())
    if column.kind == "boolean":
        return pl.Series(values).fill_nan(None).cast(pl.Boolean)
    return pl.Series(values).fill_nan(None)
