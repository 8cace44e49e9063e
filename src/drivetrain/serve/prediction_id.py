"""Ids of predictions: UUID version 7, one for each row, all rows of a request from one number.

RFC 9562, section 5.7, with method 3 for the 12 bits behind the milliseconds: they hold the
fraction of the millisecond, so ids sort by time. Of the other 62 bits, the last 20 are the row's
number within its request. A client that knows the id of row 0 knows them all: that of row ``i`` is
the same number plus ``i``. 42 random bits keep requests of one quarter of a microsecond apart.
"""

from __future__ import annotations

import os
import time

ROW_BITS = 20
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


def new_id() -> tuple[int, str]:
    """Return the time in microseconds since 1970, UTC, and the id of row 0 of a request."""
    now_ns = time.time_ns()
    millis, rest = divmod(now_ns, 1_000_000)
    number = (
        millis << 80
        | _VERSION_7
        | (rest << 12) // 1_000_000 << 64
        | _VARIANT
        | int.from_bytes(os.urandom(6), "big") >> 6 << ROW_BITS
    )
    return now_ns // 1000, _text(number)


def row_ids(first: str, rows: int) -> list[str]:
    """Return the ids of all rows of a request from the id of its row 0.

    Examples
    --------
    >>> row_ids("0198c2a1-7c00-7000-8000-000000000000", 2)[1]
    '0198c2a1-7c00-7000-8000-000000000001'
    """
    if rows <= 1 << ROW_BITS:
        stem = first[:-5]
        return [f"{stem}{row:05x}" for row in range(rows)]
    number = int(first.replace("-", ""), 16)
    return [_text(number + row) for row in range(rows)]


def _text(number: int) -> str:
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
