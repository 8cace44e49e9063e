"""Public sets that drift, in their order of time: what a model meets after its launch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True)
class Stream:
    """A table in its order of time: the first ``known`` rows are there at the launch.

    ``hidden`` columns are never inputs: they hold the answer, or number the rows.
    """

    name: str
    frame: pl.DataFrame
    target: str
    time: str
    hidden: tuple[str, ...]
    known: int
    window: int  # rows between two looks

    def windows(self) -> list[pl.DataFrame]:
        """Return what comes after the launch, window by window, without the hidden columns."""
        rest = self.frame[self.known :].drop(self.hidden)
        return [rest[start : start + self.window]
                for start in range(0, rest.height - self.window + 1, self.window)]  # fmt: skip


def elec2(data: Path) -> Stream:
    """Return the electricity market: half hours of two years, whose rule moves all the time."""
    frame = pl.read_csv(data / "elec2.csv.gz")
    return Stream("elec2", frame, "class", "date", ("date", "nswprice"), known=9000, window=1500)


def bike(data: Path) -> Stream:
    """Return hired bikes by the hour: the first five months known, then 19 months of growth."""
    frame = pl.read_csv(data / "bike_sharing_hourly.csv.gz", try_parse_dates=True)
    hidden = ("instant", "casual", "registered")
    return Stream("bike_sharing_hourly", frame, "cnt", "date", hidden, known=3600, window=720)


STREAMS = {"elec2": elec2, "bike": bike}
