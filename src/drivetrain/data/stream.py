"""Read a table in pieces, in memory that does not grow with it, and without a table library
where the format needs none: CSV, TSV and JSON Lines are read by the standard library.

A cell means the same as in :func:`drivetrain.data.read.read_table`: admitting the pieces one after
the other gives the tensors that admitting the whole gives.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from drivetrain.core.errors import DataError, DrivetrainError, MissingLibraryError
from drivetrain.data.delimited import header, malformed, sniffed
from drivetrain.data.json_lines import parsed_line
from drivetrain.data.read import SUFFIXES, Table, empty, read_table, require_polars
from drivetrain.data.remote import is_remote, opened

SNIFFED_CHARACTERS = 1 << 20
E = TypeVar("E", bound=DrivetrainError)


@dataclass(frozen=True)
class Piece:
    """Some rows of a table, one after the other.

    ``rows`` is what ``runtime.admit`` takes; ``first`` the number of the first of them, from 0;
    ``done`` the share of the source that is read, 0 to 1.
    """

    rows: Any
    count: int
    first: int
    done: float


def stream_table(source: Any, *, rows: int) -> Iterator[Piece]:
    """Read a table in pieces of at most ``rows`` rows.

    Parameters
    ----------
    source
        Whatever :func:`drivetrain.data.read.read_table` takes.

    Raises
    ------
    DataError
        As ``read_table`` does; for a fault within the file when its piece is reached.
    MissingLibraryError
        If the format needs Polars and it is not installed.
    """
    name = str(source).lower()
    if not isinstance(source, (str, Path)):
        return _slices(read_table(source), rows)
    path: Path | str = source if is_remote(source) else Path(source)
    if name.endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz")):
        return _delimited(path, rows, tabs=".tsv" in name)
    if name.endswith((".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")):
        return _json_lines(path, rows)
    if isinstance(path, str):
        return _remote_parquet(path, rows)
    if name.endswith(".parquet") and path.is_file():
        return _parquet(path, rows)
    if not name.endswith(SUFFIXES):
        read_table(source)  # which says what is wrong with the name
    return _slices(read_table(source), rows)


def located(error: E, source: str, first: int) -> E:
    """Return the error with rows of a piece named as rows of the file, the first being row 1."""

    def named(found: re.Match[str]) -> str:
        return f"', {source} row {first + int(found[1]) + 1}"

    pattern = r"', row (\d+)"  # a column's or the target's name is in quotes before it
    return type(error)(
        where=re.sub(pattern, named, error.where),
        expected=error.expected,
        got=error.got,
        remedy=re.sub(pattern, named, error.remedy),
        code=error.code,
    )


def _slices(table: Table, rows: int) -> Iterator[Piece]:
    for first in range(0, table.rows, rows):
        part = table.frame.slice(first, rows)
        yield Piece(part, part.height, first, (first + part.height) / table.rows)


def _parquet(path: Path, rows: int) -> Iterator[Piece]:
    require_polars()
    import polars as pl

    from drivetrain.data.frames import with_plain_types

    try:
        whole = pl.scan_parquet(path)
        total = whole.select(pl.len()).collect().item()
        if not total:
            raise empty(path.name, "no rows")
        for first in range(0, total, rows):
            part = with_plain_types(whole.slice(first, rows).collect(), path.name)
            yield Piece(part, part.height, first, (first + part.height) / total)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            where=path.name,
            expected="a readable parquet file",
            got=str(error).splitlines()[0],
            remedy="Write or fetch the file again.",
            code="DT223",
        ) from error


def _remote_parquet(address: str, rows: int) -> Iterator[Piece]:
    require_polars()
    import polars as pl

    from drivetrain.data.frames import with_plain_types

    name = _name(address)
    if not name.lower().endswith(".parquet"):
        raise DataError(
            where=address,
            expected="an address that ends in .csv, .tsv, .jsonl, .ndjson (or with .gz), .parquet",
            got=f"'{name}'",
            remedy="Convert the table to one of these formats, or fetch the file.",
            code="DT2CM",
        )
    try:
        from pyarrow.lib import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingLibraryError(
            where=address,
            expected="the library 'pyarrow'",
            got="no such library",
            remedy="Install it: pip install 'drivetrain[serve]'",
            code="DT317",
        ) from error
    with opened(address) as (file, _):
        try:
            table = ParquetFile(file)
            total, first = table.metadata.num_rows, 0
            if not total:
                raise empty(name, "no rows")
            for batch in table.iter_batches(rows):
                part = with_plain_types(pl.DataFrame(pl.from_arrow(batch)), name)
                yield Piece(part, part.height, first, (first + part.height) / total)
                first += part.height
        except (ArrowException, OSError) as error:
            raise DataError(
                where=address,
                expected="a readable parquet file",
                got=str(error).splitlines()[0],
                remedy="Write or fetch the file again.",
                code="DT223",
            ) from error


def _name(place: Path | str) -> str:
    return place.name if isinstance(place, Path) else place.rpartition("/")[2]


@contextmanager
def _file(place: Path | str) -> Iterator[tuple[IO[bytes], int]]:
    if isinstance(place, str):
        with opened(place) as (file, size):
            yield file, size
        return
    with place.open("rb") as local:
        yield local, place.stat().st_size


@contextmanager
def _opened(path: Path | str) -> Iterator[tuple[IO[bytes], IO[bytes], int]]:
    """Give the unpacked bytes, the file itself (its position tells how far it is), and its size."""
    name = _name(path)
    try:
        with _file(path) as (file, size):
            if not size:
                raise empty(name, "an empty file")
            if name.lower().endswith(".gz"):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield cast(IO[bytes], unpacked), file, size
            else:
                yield file, file, size
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            where=name,
            expected="a whole gzip file",
            got=str(error),
            remedy="Fetch or pack the file again, or take the ending .gz off its name.",
            code="DT223",
        ) from error
    except OSError as error:
        raise DataError(
            where=str(path),
            expected="a file that can be read",
            got=error.strerror or "no access",
            remedy="Give the path of an existing file.",
            code="DT2C5",
        ) from error


def _delimited(path: Path | str, rows: int, *, tabs: bool) -> Iterator[Piece]:
    with _opened(path) as (unpacked, file, size):
        text = io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="")
        csv.field_size_limit(2**31 - 1)  # a text column may hold whole documents
        first = 0
        try:
            head = text.read(SNIFFED_CHARACTERS)
            delimiter = "\t" if tabs else sniffed(head)
            names = header(head, delimiter, _name(path))
            # The head was read already, and may end within a line.
            lines = _lines(head, text)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            records = (record for record in reader if record)
            next(records)
            while piece := list(islice(records, rows)):
                _refuse_ragged(piece, len(names), _name(path), reader.line_num)
                cells = dict(zip(names, zip(*piece, strict=True), strict=True))
                yield Piece(cells, len(piece), first, file.tell() / size)
                first += len(piece)
        except csv.Error as error:
            raise malformed(_name(path), reader.line_num, str(error)) from error
        except UnicodeDecodeError as error:
            raise DataError(
                where=_name(path),
                expected="UTF-8 text",
                got=f"byte 0x{error.object[error.start]:02x} after row {first}",
                remedy="Save the file as UTF-8.",
                code="DT227",
            ) from error
        if not first:
            raise empty(_name(path), f"{len(names)} columns and no rows")


def _lines(head: str, rest: IO[str]) -> Iterator[str]:
    """Give the lines of ``head`` and ``rest``, with their ends, as if they had not been parted."""
    # splitlines() would also part at U+2028 and the like, which csv must not see as line ends.
    lines = io.StringIO(head, newline="").readlines()
    last = lines.pop() if lines else ""
    yield from lines
    yield last + rest.readline()
    yield from rest


def _refuse_ragged(piece: list[list[str]], width: int, source: str, last_line: int) -> None:
    for number, record in enumerate(piece):
        if len(record) != width:
            line = last_line - len(piece) + number + 1  # exact unless cells hold line breaks
            raise malformed(source, line, f"{len(record)} cells", f"{width} cells as in the header")


def _json_lines(path: Path | str, rows: int) -> Iterator[Piece]:
    names: dict[str, None] = {}  # of all rows so far, in order
    with _opened(path) as (unpacked, file, size):
        numbered = enumerate(unpacked, start=1)
        objects = (
            parsed_line(line.removeprefix(b"\xef\xbb\xbf"), number, _name(path))
            for number, line in numbered
            if line.strip()
        )
        first = 0
        while piece := list(islice(objects, rows)):
            names.update((name, None) for row in piece for name in row)
            cells = {name: [row.get(name) for row in piece] for name in names}
            yield Piece(cells, len(piece), first, file.tell() / size)
            first += len(piece)
    if not first:
        raise empty(_name(path), "blank lines only")
