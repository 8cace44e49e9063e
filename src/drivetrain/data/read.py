"""Read a table from a file or from a frame in memory, cells as they are.

Cells of CSV and TSV stay text: what they mean is ``infer``'s to say and ``admit``'s to do. Formats
with types of their own keep them. Every reader ends in the same :class:`Table`.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector
from drivetrain.core.errors import DataError, MissingLibraryError

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (
    ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet", ".arrow", ".feather", ".ipc",
    ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Raw cells, and where they come from: a file's name, or ``"dataframe"``."""

    frame: pl.DataFrame
    source: str

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.frame.height


def read_table(source: Any) -> Table:
    """Read a table.

    Parameters
    ----------
    source
        Path of a CSV, TSV, Parquet, Arrow, Feather or JSON Lines file (text formats also with
        ``.gz``); or a Polars, pandas or pyarrow table. A :class:`Table` is returned as it is.

    Raises
    ------
    DataError
        If the file is absent, unreadable, ragged or of an unknown format, or if the table has no
        rows, no columns, or two columns of one name.
    MissingLibraryError
        If Polars is not installed.
    """
    if isinstance(source, Table):
        return source
    require_polars()
    if isinstance(source, (str, Path)):
        path = Path(source)
        return Table(_settled(_read_file(path), path.name), path.name)
    from drivetrain.data.frames import from_memory

    return Table(_settled(from_memory(source), "dataframe"), "dataframe")


def require_polars() -> None:
    """Raise MissingLibraryError if Polars is not installed."""
    if importlib.util.find_spec("polars") is None:
        raise MissingLibraryError(
            where="reading a table",
            expected="Polars to be installed",
            got="no such library",
            remedy="Install it: pip install 'drivetrain[train]'",
            code="DT3C0",
        )


def _read_file(path: Path) -> pl.DataFrame:
    suffix = next((ending for ending in SUFFIXES if path.name.lower().endswith(ending)), None)
    if suffix is None:
        raise DataError(
            where=str(path),
            expected=f"a file that ends in {', '.join(SUFFIXES)}",
            got=f"'{path.suffix or path.name}'",
            remedy="Convert the table to one of these formats.",
            code="DT2C3",
        )
    data = _bytes(path)
    if suffix in (".parquet", ".arrow", ".feather", ".ipc"):
        from drivetrain.data.frames import from_columnar

        return from_columnar(data, suffix, path.name)
    if suffix.endswith(".gz"):
        data = _unpacked(data, path)
    if suffix.startswith((".jsonl", ".ndjson")):
        from drivetrain.data.json_lines import parse_json_lines

        return parse_json_lines(data, path.name)
    from drivetrain.data.delimited import parse_delimited

    return parse_delimited(data, path.name, tabs=suffix.startswith(".tsv"))


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            where=str(path),
            expected="a file that can be read",
            got=error.strerror or "no access",
            remedy="Give the path of an existing file.",
            code="DT2C4",
        ) from error
    if not data:
        raise empty(path.name, "an empty file")
    return data


def _unpacked(data: bytes, path: Path) -> bytes:
    try:
        unpacked = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            where=path.name,
            expected="a whole gzip file",
            got=str(error),
            remedy="Fetch or pack the file again, or take the ending .gz off its name.",
            code="DT2C7",
        ) from error
    if not unpacked:
        raise empty(path.name, "an empty file")
    return unpacked


def empty(source: str, got: str) -> DataError:
    """Return the error for a table without rows."""
    return DataError(
        where=source,
        expected="a table with at least one row",
        got=got,
        remedy="Give a file with a header and rows.",
        code="DT2C8",
    )


def refuse_duplicate_names(names: list[str], source: str) -> None:
    """Raise DataError if two columns share a name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            where=source,
            expected="every column to have a name of its own",
            got=f"more than one column called '{twice[0]}'",
            remedy="Rename or remove the duplicates.",
            code="DT2C9",
        )


def _settled(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    from drivetrain.data.frames import with_plain_types

    if frame.width == 0:
        raise DataError(
            where=source,
            expected="at least one column",
            got="none",
            remedy="Give a table with named columns.",
            code="DT2CA",
        )
    if frame.height == 0:
        raise empty(source, f"{frame.width} columns and no rows")
    return with_plain_types(frame, source)


def fingerprint(columns: Columns, y: FloatVector | None) -> str:
    """Hash typed columns and target: the same cells give the same hash, whatever their format.

    Sensitive to the order of rows, not to the order of columns. Returns sha256 in hex.

    Examples
    --------
    >>> a = fingerprint({"x": np.array([1.0, 2.0])}, np.array([0.0, 1.0]))
    >>> a == fingerprint({"x": np.array([2.0, 1.0])}, np.array([0.0, 1.0]))
    False
    """
    digest = hashlib.sha256()
    for name in sorted(columns):
        digest.update(f"column {name!r}\n".encode())
        _hash_array(digest, columns[name])
    if y is not None:
        digest.update(b"target\n")
        _hash_array(digest, y)
    return digest.hexdigest()


def _hash_array(digest: Any, array: Array) -> None:
    if array.dtype == object:
        # Lengths beside the joined bytes: ["ab", "c"] and ["a", "bc"] must differ.
        cells = [str(cell).encode() for cell in array]
        digest.update(np.array([len(cell) for cell in cells], dtype="<i8").tobytes())
        digest.update(b"".join(cells))
        return
    digest.update(f"{array.dtype.kind}{array.shape}".encode())
    if array.dtype.kind == "f":
        # One NaN and one zero: their other bit patterns mean the same.
        array = np.where(np.isnan(array), np.nan, array) + 0.0
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    else:
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
