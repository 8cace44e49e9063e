"""Read the prediction log: a folder of closed Parquet segments (docs/decisions/0020)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns, IndexVector, Mask
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import DataError, MissingLibraryError

if TYPE_CHECKING:
    import polars as pl

INPUT = "input."
PROBABILITY = "probability."
_NEEDED = ("prediction_id", "at_us", "content_hash", "prediction")
_CHUNK_ROWS = 50_000


@dataclass(frozen=True)
class Chunk:
    """Some answered rows: ids object (n,), times in µs int64 (n,), typed columns, raw outputs."""

    ids: Array
    at_us: IndexVector
    columns: Columns
    outputs: dict[str, Array]

    def rows(self, chosen: Mask | IndexVector | slice) -> Chunk:
        """Return some of the rows."""
        return Chunk(
            self.ids[chosen],
            self.at_us[chosen],
            {name: values[chosen] for name, values in self.columns.items()},
            {name: values[chosen] for name, values in self.outputs.items()},
        )


class PredictionLog:
    """The closed segments of a folder; rows of one bundle are asked for by its content hash.

    Without a hash the rows of all bundles are meant, which serves for their ids alone.

    Attributes
    ----------
    unread
        Segments that could not be read, and why, as far as the log was gone through.
    """

    def __init__(self, folder: str | Path, contract: Contract, content_hash: str | None) -> None:
        self.folder = Path(folder)
        self.unread: dict[str, str] = {}
        self._contract = contract
        self._hash = content_hash
        require_polars()
        if not self.folder.is_dir():
            raise DataError(
                where=f"prediction log {self.folder}",
                expected="a folder of Parquet segments",
                got="no such folder",
                remedy="Give the folder that the server logs to.",
                code="DT2J1",
            )

    def segments(self) -> list[Path]:
        """Return the closed segments, the oldest first."""
        return sorted(
            path for path in self.folder.glob("*.parquet") if not path.name.startswith(".")
        )

    def span(self) -> tuple[int, int] | None:
        """Return the first and last time of the bundle's answers in µs; None without any."""
        import polars as pl

        first, last = [], []
        for segment in self.segments():
            frame = self._load(segment, ["at_us"], None)
            if frame is not None and frame.height:
                low, high = frame.select(a=pl.col("at_us").min(), b=pl.col("at_us").max()).row(0)
                first.append(low)
                last.append(high)
        return (min(first), max(last)) if first else None

    def chunks(self, since_us: int | None = None, until_us: int | None = None) -> Iterator[Chunk]:
        """Go through the bundle's answers, ``since_us <= at_us < until_us``, in constant memory."""
        for segment in self.segments():
            frame = self._load(segment, None, (since_us, until_us))
            if frame is None:
                continue
            for part in frame.iter_slices(_CHUNK_ROWS):
                yield self._chunk(part)

    def ids(self) -> Iterator[pl.DataFrame]:
        """Go through ``prediction_id`` and ``at_us`` of the bundle's answers, by segment."""
        for segment in self.segments():
            frame = self._load(segment, ["prediction_id", "at_us"], None)
            if frame is not None:
                yield frame

    def _load(
        self,
        segment: Path,
        names: list[str] | None,
        span: tuple[int | None, int | None] | None,
    ) -> pl.DataFrame | None:
        """Read what is asked for; None where the segment cannot be read, which is remembered."""
        import polars as pl

        try:
            lazy = pl.scan_parquet(segment)
            schema = lazy.collect_schema()
            absent = [name for name in _NEEDED if name not in schema]
            if absent:
                self.unread[segment.name] = f"no column '{absent[0]}'"
                return None
            wanted = pl.lit(True) if self._hash is None else pl.col("content_hash") == self._hash
            if "role" in schema:
                wanted &= pl.col("role") == "answer"
            since, until = span or (None, None)
            if since is not None:
                wanted &= pl.col("at_us") >= since
            if until is not None:
                wanted &= pl.col("at_us") < until
            chosen = names or [name for name in schema.names() if self._is_read(name)]
            return lazy.filter(wanted).select(chosen).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            self.unread[segment.name] = str(error).splitlines()[0][:200]
            return None

    def _is_read(self, name: str) -> bool:
        if name.startswith(INPUT):
            return name.removeprefix(INPUT) in self._contract.names
        return name.startswith(PROBABILITY) or name in {"prediction_id", "at_us", "prediction"}

    def _chunk(self, frame: pl.DataFrame) -> Chunk:
        columns = {
            column.name: _typed(column, frame[INPUT + column.name])
            for column in self._contract.columns
            if INPUT + column.name in frame.columns
        }
        return Chunk(
            ids=frame["prediction_id"].to_numpy(),
            at_us=frame["at_us"].to_numpy(),
            columns=columns,
            outputs=_outputs(self._contract.target, frame),
        )


def _typed(column: Column, series: pl.Series) -> Array:
    """Return a column as the Contract types it; null, NaN, '' and INT64_MIN are all missing."""
    import polars as pl

    if column.kind == "category":
        return _shared_texts(series.cast(pl.String).fill_null(""))
    if column.kind == "text":
        return series.cast(pl.String).fill_null("").to_numpy()
    if column.kind == "datetime":
        return series.cast(pl.Int64).fill_null(MISSING_TIME).to_numpy()
    if column.kind == "vector":
        rows = [[np.nan] * column.width if row is None else row for row in series.to_list()]
        return np.array(rows, dtype=np.float64).reshape(len(rows), column.width)
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _shared_texts(series: pl.Series) -> Array:
    """Return texts as objects, one for each distinct text: four times faster to make and count."""
    import polars as pl

    distinct = series.unique(maintain_order=True)
    names = distinct.to_numpy()
    shared: Array = names[series.cast(pl.Enum(distinct)).to_physical().to_numpy()]
    return shared


def _outputs(target: Target | None, frame: pl.DataFrame) -> dict[str, Array]:
    outputs: dict[str, Array] = {"prediction": frame["prediction"].to_numpy()}
    if target is not None and target.classes:
        outputs["probabilities"] = np.column_stack(
            [frame[PROBABILITY + name].to_numpy() for name in target.classes]
        )
    return outputs


def require_polars() -> Any:
    """Return Polars, which reads Parquet.

    Raises
    ------
    MissingLibraryError
        If it is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise MissingLibraryError(
            where="prediction log",
            expected="library 'polars' to be installed",
            got="no such library",
            remedy="Install it: pip install 'drivetrain[serve]'",
            code="DT3J0",
        ) from error
    return polars
