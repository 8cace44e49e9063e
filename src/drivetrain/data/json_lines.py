"""JSON Lines: one object a line, its members the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from drivetrain.core.errors import DataError
from drivetrain.data.read import empty

if TYPE_CHECKING:
    import polars as pl


def parse_json_lines(data: bytes, source: str) -> pl.DataFrame:
    """Parse JSON Lines; a member that an object lacks is a missing cell."""
    from drivetrain.data.frames import frame_of

    rows: list[dict[str, Any]] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            rows.append(parsed_line(line, number, source))
    if not rows:
        raise empty(source, "blank lines only")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return frame_of({name: [row.get(name) for row in rows] for name in names}, source)


def parsed_line(line: bytes, number: int, source: str) -> dict[str, Any]:
    """Parse one line into its object; ``number`` counts from 1, for errors."""
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(source, number, str(error)) from error
    if not isinstance(row, dict):
        raise _malformed(source, number, f"a JSON {type(row).__name__}")
    return row


def _malformed(source: str, number: int, got: str) -> DataError:
    return DataError(
        where=f"{source} line {number}",
        expected="one JSON object",
        got=got,
        remedy='Write each row as one line, such as {"age": 41, "city": "Bern"}.',
        code="DT229",
    )
