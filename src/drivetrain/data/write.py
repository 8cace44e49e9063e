"""Write a table piece by piece as CSV, JSON Lines or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.errors import SettingError
from drivetrain.core.files import new_file
from drivetrain.data.read import require_polars

WRITTEN_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
Write = Callable[[dict[str, Array]], None]


@contextmanager
def table_writer(path: Path) -> Iterator[Write]:
    """Give a function that adds rows, columns as 1-d arrays of one length, to the file at ``path``.

    The file appears when the block ends well; one that is there already is replaced only then.

    Raises
    ------
    SettingError
        If the ending of the name is not known, or the folder is not there.
    MissingLibraryError
        If Parquet is asked for without Polars.
    """
    check_written(path)
    suffix = path.suffix.lower()
    with new_file(path) as draft:
        if suffix == ".parquet":
            with _parquet(draft) as write:
                yield write
        elif suffix == ".csv":
            with draft.open("w", encoding="utf-8", newline="") as file:
                yield _csv(csv.writer(file, lineterminator="\n"))
        else:
            with draft.open("wb") as lines:
                yield lambda columns: lines.writelines(_json_lines(columns))


def header_of(columns: Sequence[str]) -> bytes:
    """Return the first line of a CSV file with these columns, as it is written here."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(columns)
    return line.getvalue().encode()


def check_written(path: Path) -> None:
    """Raise SettingError if a table cannot be written to ``path``, before the work for it."""
    if path.suffix.lower() not in WRITTEN_SUFFIXES:
        raise SettingError(
            where="setting 'out'",
            expected=f"a name that ends in {', '.join(WRITTEN_SUFFIXES)}",
            got=f"'{path.name}'",
            remedy="Choose one of these endings.",
            code="DT2C0",
        )
    if not path.parent.is_dir() or path.is_dir():
        raise SettingError(
            where="setting 'out'",
            expected="a file in an existing folder",
            got=f"'{path}'",
            remedy="Make the folder, or give another name.",
            code="DT2C0",
        )
    if path.suffix.lower() == ".parquet":
        require_polars()


def _csv(writer: csv._writer) -> Write:  # type: ignore[name-defined]
    has_header = False

    def write(columns: dict[str, Array]) -> None:
        nonlocal has_header
        if not has_header:
            writer.writerow(columns)
            has_header = True
        writer.writerows(zip(*map(_shortest, columns.values()), strict=True))

    return write


def _shortest(column: Array) -> list[object]:
    """Texts as they are, and numbers in the fewest digits that read back as the same number."""
    cells: list[object] = (column if column.dtype == object else column.astype(str)).tolist()
    return cells


def _json_lines(columns: dict[str, Array]) -> Iterator[bytes]:
    cells = []
    for column in columns.values():
        # Through text, so that a float32 of 0.1 is not written as 0.10000000149011612.
        column = column.astype(str).astype(np.float64) if column.dtype == np.float32 else column
        cells.append(column.tolist())
    for row in zip(*cells, strict=True):
        yield msgspec.json.encode(dict(zip(columns, row, strict=True))) + b"\n"


@contextmanager
def _parquet(draft: Path) -> Iterator[Write]:
    """Keep each piece as a file, then join them without holding them in memory."""
    import polars as pl

    parts = Path(tempfile.mkdtemp(prefix=f"{draft.name}.", dir=draft.parent))
    written: list[Path] = []

    def write(columns: dict[str, Array]) -> None:
        part = parts / f"{len(written):08d}.parquet"
        series = [
            pl.Series(name, cells.tolist(), dtype=pl.String)
            if cells.dtype == object
            else pl.Series(name, cells)
            for name, cells in columns.items()
        ]
        pl.DataFrame(series).write_parquet(part)
        written.append(part)

    try:
        yield write
        if written:
            pl.scan_parquet(written).sink_parquet(draft)
    finally:
        shutil.rmtree(parts)
