"""Cut the prediction log into windows, sketch each, and join the labels that have come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from drivetrain.core.arrays import Array, FloatVector, IndexVector
from drivetrain.core.contract import Target
from drivetrain.core.errors import SettingError, Value
from drivetrain.monitor.log import Chunk, PredictionLog
from drivetrain.monitor.window import Sketcher, WindowSketch

if TYPE_CHECKING:
    import polars as pl

_UNITS_US = {"s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}


@dataclass(frozen=True)
class Cut:
    """Where windows begin and end: every so many microseconds since 1970, or every so many rows."""

    duration_us: int | None = None
    rows: int | None = None


@dataclass
class Window:
    """One window while the log is gone through: its sketch, and its labelled rows."""

    key: int
    start_us: int
    end_us: int
    sketch: WindowSketch = field(default_factory=lambda: WindowSketch(rows=0))
    labels: list[FloatVector] = field(default_factory=list)
    answers: list[Array] = field(default_factory=list)  # probabilities, or values
    predicted: list[Array] = field(default_factory=list)

    def labelled(self) -> tuple[FloatVector, Array, Array]:
        """Return labels, probabilities or values, and predictions of the labelled rows."""
        return (
            np.concatenate(self.labels) if self.labels else np.zeros(0),
            np.concatenate(self.answers) if self.answers else np.zeros(0),
            np.concatenate(self.predicted) if self.predicted else np.zeros(0),
        )


def parse_cut(text: str) -> Cut:
    """Read ``1d``, ``12h``, ``30m``, ``90s`` or ``5000 rows``.

    Raises
    ------
    SettingError
        If it is none of these.

    Examples
    --------
    >>> parse_cut("5000 rows").rows
    5000
    """
    match = re.fullmatch(r"\s*(\d+)\s*(s|m|h|d|rows)\s*", text)
    if match is None or int(match[1]) < 1:
        raise SettingError(
            where="setting 'window'",
            expected="a duration such as 1d, 12h or 30m, or a number of rows such as '5000 rows'",
            got=Value(text),
            remedy="Correct --window.",
            code="DT2J0",
        )
    number = int(match[1])
    return Cut(rows=number) if match[2] == "rows" else Cut(duration_us=number * _UNITS_US[match[2]])


class WindowReader:
    """Goes once through the log and returns its last windows, the oldest first."""

    def __init__(
        self,
        log: PredictionLog,
        sketcher: Sketcher,
        target: Target,
        cut: Cut,
        *,
        labels: pl.DataFrame | None = None,
    ) -> None:
        self._log = log
        self._sketcher = sketcher
        self._target = target
        self._cut = cut
        self._labels = labels
        self._rows = 0
        self.absent: set[str] = set()  # columns that some of the log does not hold

    def last(self, count: int) -> list[Window]:
        """Return the last ``count`` windows that have rows; memory is that of so many sketches."""
        open_windows: dict[int, Window] = {}
        since = self._since(count)
        for chunk in self._log.chunks(since_us=since):
            for key, part in self._parts(chunk):
                window = open_windows.get(key)
                if window is None:
                    window = open_windows[key] = self._window(key, part)
                    if len(open_windows) > count:
                        open_windows.pop(min(open_windows))
                self._add(window, part)
        return [open_windows[key] for key in sorted(open_windows)]

    def _since(self, count: int) -> int | None:
        duration = self._cut.duration_us
        span = None if duration is None else self._log.span()
        if duration is None or span is None:
            return None
        return (span[1] // duration - count + 1) * duration

    def _parts(self, chunk: Chunk) -> Iterator[tuple[int, Chunk]]:
        keys = self._keys(chunk)
        for key in np.unique(keys).tolist():
            yield key, chunk.rows(keys == key)

    def _keys(self, chunk: Chunk) -> IndexVector:
        if self._cut.duration_us is not None:
            return np.asarray(chunk.at_us // self._cut.duration_us)
        numbers = self._rows + np.arange(len(chunk.at_us))
        self._rows += len(chunk.at_us)
        return np.asarray(numbers // (self._cut.rows or 1))

    def _window(self, key: int, part: Chunk) -> Window:
        duration = self._cut.duration_us
        if duration is not None:
            return Window(key=key, start_us=key * duration, end_us=(key + 1) * duration)
        return Window(key=key, start_us=int(part.at_us.min()), end_us=int(part.at_us.max()) + 1)

    def _add(self, window: Window, part: Chunk) -> None:
        if self._cut.duration_us is None:
            window.start_us = min(window.start_us, int(part.at_us.min()))
            window.end_us = max(window.end_us, int(part.at_us.max()) + 1)
        sketch = self._sketcher.sketch(part.columns, part.outputs)
        self.absent |= set(self._sketcher.names) - set(sketch.columns)
        window.sketch = window.sketch.merged(self._labelled(window, part, sketch))

    def _labelled(self, window: Window, part: Chunk, sketch: WindowSketch) -> WindowSketch:
        """Join labels to a part of the log; the sketch gets that of the target."""
        if self._labels is None:
            return sketch
        import polars as pl

        ids = pl.DataFrame({"prediction_id": part.ids}, schema={"prediction_id": pl.String})
        joined = ids.join(self._labels, on="prediction_id", how="left", maintain_order="left")
        y = label_numbers(self._target, joined["label"])
        has_label = ~np.isnan(y)
        if not has_label.any():
            return sketch
        window.labels.append(y[has_label])
        answer = part.outputs.get("probabilities", part.outputs["prediction"])
        window.answers.append(answer[has_label])
        window.predicted.append(part.outputs["prediction"][has_label])
        return sketch.with_target(self._sketcher.sketch_target(y[has_label]))


def label_numbers(target: Target, labels: pl.Series) -> FloatVector:
    """Return class numbers or values of labels, NaN where there is none, shape (n,)."""
    if target.task == "regression":
        values: FloatVector = labels.cast(float).to_numpy()
        return np.where(np.isnan(values), np.nan, values)
    index = {name: float(number) for number, name in enumerate(target.classes)}
    return np.array([index.get(label, np.nan) for label in labels.to_list()], dtype=np.float64)
