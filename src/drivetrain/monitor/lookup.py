"""Find one prediction in the log: which bundle answered it, and in which role."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drivetrain.core.errors import DataError
from drivetrain.monitor.log import require_polars

_NAMES = ("prediction_id", "at_us", "content_hash")
SPAN_US = 1_000_000  # a row's time and that in its id differ by less


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of a prediction; ``version`` is ``name/number`` where an alias served."""

    prediction_id: str
    at_us: int
    content_hash: str
    version: str | None = None
    role: str = "answer"


def find_prediction(folder: str | Path, prediction_id: str, at_us: int) -> Logged | None:
    """Return a prediction of the closed segments of a log; None where none holds it.

    Parameters
    ----------
    at_us
        Time in the id, µs since 1970, UTC: only segments and row groups about then are read.

    Raises
    ------
    DataError
        If there is no such folder.
    MissingLibraryError
        If Polars is not installed.
    """
    require_polars()
    import polars as pl

    place = Path(folder)
    if not place.is_dir():
        raise DataError(
            where=f"prediction log {place}",
            expected="a folder of Parquet segments",
            got="no such folder",
            remedy="Give the folder that the server logs to.",
            code="DT2J2",
        )
    then = pl.col("at_us").is_between(at_us - SPAN_US, at_us + SPAN_US)
    for segment in sorted(place.glob("*.parquet"), reverse=True):
        if segment.name.startswith("."):
            continue
        try:
            lazy = pl.scan_parquet(segment)
            names = [n for n in lazy.collect_schema() if n in (*_NAMES, "version", "role")]
            found = (
                lazy.filter(then & (pl.col("prediction_id") == prediction_id))
                .select(names)
                .collect()
            )
        except (pl.exceptions.PolarsError, OSError):
            continue  # a damaged segment: `watch` names it, and another may hold the prediction
        if found.height:
            return msgspec.convert(found.row(0, named=True), Logged)
    return None
