"""CSV and TSV: every cell stays the text that it is."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

from drivetrain.core.contract import named
from drivetrain.core.errors import DataError
from drivetrain.data.read import empty, refuse_duplicate_names

if TYPE_CHECKING:
    import polars as pl

SNIFFED_RECORDS = 50
HEAD_CHARACTERS = 1 << 22  # at least; they hold the header and the sniffed records


def parse_delimited(data: bytes, source: str, *, tabs: bool) -> pl.DataFrame:
    """Parse CSV or TSV bytes into text columns; blank lines are no rows.

    Polars parses; it fills short lines up without a word, so a table whose last column has an
    empty cell is parsed once more by the csv module, which tells short lines from empty cells.
    """
    import polars as pl

    text = _decoded(data, source)
    head = _head(text)
    delimiter = "\t" if tabs else sniffed(head)
    names = header(head, delimiter, source)
    try:
        frame = pl.read_csv(
            data.removeprefix(codecs.BOM_UTF8),
            separator=delimiter,
            infer_schema=False,
            empty_string_is_null=False,
        )
    except pl.exceptions.PolarsError:
        return _parsed_by_line(text, delimiter, names, source)
    if frame.width != len(names) or bool((frame.to_series(-1) == "").any()):
        return _parsed_by_line(text, delimiter, names, source)
    frame.columns = names
    return frame


def _head(text: str) -> str:
    """Return the first lines: a reader of a text copies it, which takes seconds for a large one."""
    return text[: text.find("\n", HEAD_CHARACTERS) + 1] or text


def _decoded(data: bytes, source: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _not_text(source, "UTF-16 text", "Save the file as UTF-8.")
    if b"\0" in data:
        raise _not_text(source, "binary data", "Give a CSV file, or name the format by its suffix.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _not_text(
            source,
            f"byte 0x{data[error.start]:02x} in line {line}",
            "Save the file as UTF-8; if it is Latin-1: "
            f"iconv -f latin1 -t utf-8 {source.removesuffix('.gz')} > utf8.csv",
        ) from error


def _not_text(source: str, got: str, remedy: str) -> DataError:
    return DataError(where=source, expected="UTF-8 text", got=got, remedy=remedy, code="DT2CB")


def records(text: str, delimiter: str) -> csv._reader:  # type: ignore[name-defined]
    """Read records of a text that is wholly in memory."""
    csv.field_size_limit(2**31 - 1)  # a text column may hold whole documents
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def sniffed(text: str) -> str:
    """Return the delimiter that cuts the first records into the most fields of equal number."""
    best, best_fields = ",", 1
    for delimiter in ",;\t|":
        widths = []
        try:
            for _, record in zip(range(SNIFFED_RECORDS), records(text, delimiter), strict=False):
                if record:
                    widths.append(len(record))
        except csv.Error:
            continue
        if widths and len(set(widths)) == 1 and widths[0] > best_fields:
            best, best_fields = delimiter, widths[0]
    return best


def header(text: str, delimiter: str, source: str) -> list[str]:
    """Return the column names in the first record that is not blank."""
    try:
        names: list[str] = next(filter(None, records(text, delimiter)), [])
    except csv.Error as error:
        raise malformed(source, 1, str(error)) from error
    if not names:
        raise empty(source, "blank lines only")
    if "" in (name.strip() for name in names):
        if len(names) == 1:
            raise empty(source, "blank lines only")
        names = named(names)
    refuse_duplicate_names(names, source)
    return names


def _parsed_by_line(text: str, delimiter: str, names: list[str], source: str) -> pl.DataFrame:
    import polars as pl

    reader = records(text, delimiter)
    rows: list[list[str]] = []
    try:
        for record in reader:
            if not record:
                continue
            if len(record) != len(names):
                got = f"{len(record)} cells"
                raise malformed(
                    source, reader.line_num, got, f"{len(names)} cells as in the header"
                )
            rows.append(record)
    except csv.Error as error:
        raise malformed(source, reader.line_num, str(error)) from error
    rows = rows[1:]
    if not rows:
        raise empty(source, f"{len(names)} columns and no rows")
    columns = zip(*rows, strict=True)
    return pl.DataFrame(
        [
            pl.Series(name, cells, dtype=pl.String)
            for name, cells in zip(names, columns, strict=True)
        ]
    )


def malformed(source: str, line: int, got: str, expected: str = "well-formed CSV") -> DataError:
    """Return the error for a line that is not as the header says."""
    return DataError(
        where=f"{source} line {line}",
        expected=expected,
        got=got,
        remedy="Correct this line: quote cells that hold the delimiter, quotes or line breaks.",
        code="DT228",
    )
