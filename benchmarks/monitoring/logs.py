"""Prediction logs for the benchmarks: rows that a bundle answers, written as the server does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from drivetrain.core.arrays import Array, Columns, FloatVector
from drivetrain.lifecycle.labels import add_labels
from drivetrain.lifecycle.watch import watch
from drivetrain.monitor.alarm import find
from drivetrain.monitor.watched import WatchReport
from drivetrain.runtime.admit import admit_target
from drivetrain.runtime.model import Model
from drivetrain.stats.metrics import find_metric
from drivetrain.testing.monitored import Rows
from drivetrain.testing.monitored_bundle import DAY_US, START_US, write_segment


@dataclass(frozen=True)
class Stream:
    """Typed columns, targets and answers of rows in the order they came."""

    columns: Columns
    outputs: dict[str, Array]
    y: FloatVector

    def rows(self, chosen: Any) -> Rows:
        """Return some rows."""
        return Rows(
            {name: values[chosen] for name, values in self.columns.items()},
            {name: values[chosen] for name, values in self.outputs.items()},
            self.y[chosen],
        )


def stream_of(model: Model, frame: pl.DataFrame) -> Stream:
    """Let the bundle answer every row of a frame that has the target."""
    target = model.contract.target
    columns = model.admit(frame.drop(target.name)).columns
    return Stream(columns, model.run(columns), admit_target(target, frame[target.name]))


def answered(model: Model, rows: Rows) -> Rows:
    """Return the rows with what the bundle answers to them, after a column was changed."""
    return Rows(rows.columns, model.run(rows.columns), rows.y)


def write_log(folder: Path, model: Model, days: list[Rows], *, labelled: bool = True) -> None:
    """Write one day for each part, and its labels."""
    classes = model.manifest.classes
    parts = []
    for day, rows in enumerate(days):
        ids = write_segment(
            folder, rows, content_hash=model.manifest.content_hash,
            start_us=START_US + day * DAY_US, classes=classes,
        )  # fmt: skip
        labels = np.array(classes, dtype=object)[rows.y.astype(int)].tolist()
        parts.append(pl.DataFrame({"prediction_id": ids, "label": labels}))
    if labelled and parts:
        add_labels(pl.concat(parts), log=folder, bundle=model.path)


def look(model: Model, folder: Path, **settings: Any) -> WatchReport:
    """Watch every day of a log."""
    return watch(model.path, folder, windows=1000, window="1d", **settings)


def without_labels(report: WatchReport) -> WatchReport:
    """Return the report as it would be had no label come."""
    windows = tuple(
        msgspec.structs.replace(window, realised=None, realised_worse=False, held=None)
        for window in report.windows
    )
    return msgspec.structs.replace(report, windows=windows)


def alarms_by_day(report: WatchReport) -> tuple[list[bool], list[bool]]:
    """Return for each day whether drift, and whether a breach of quality would be reported then."""
    metric = find_metric(report.metric)
    drift, breach = [], []
    for end in range(1, len(report.windows) + 1):
        findings, is_breach = find(report.windows[:end], metric, report.baseline)
        drift.append(any(finding.check == "drift" for finding in findings))
        breach.append(is_breach)
    return drift, breach
