"""Ids of predictions: UUID version 7, one for each row, all rows of a request from one number.

RFC 9562, section 5.7, with method 3 for the 12 bits behind the milliseconds: they hold the
fraction of the millisecond, so ids sort by time. Of the other 62 bits, the last 20 are the row's
number within its request. A client that knows the id of row 0 knows them all: that of row ``i`` is
the same number plus ``i``. 42 random bits keep requests of one quarter of a microsecond apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

ROW_BITS = 20
_pool: Iterator[str] = iter(())
_stem = (0, "")  # the millisecond that was told last, and its text
_VARIANTS = dict(zip("0123456789abcdef", 4 * "89ab", strict=True))  # of a random digit
_DIGITS = 11  # of the random ones, of which the first gives two bits


def new_id() -> tuple[int, str]:
    """Return the time in microseconds since 1970, UTC, and the id of row 0 of a request."""
    global _stem
    now_ns = time.time_ns()
    millis, rest = divmod(now_ns, 1_000_000)
    known, stem = _stem
    if known != millis:
        stem = f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7"
        _stem = millis, stem
    end = next(_pool, None) or _drawn()  # one step of the interpreter: no two threads get the same
    return now_ns // 1000, f"{stem}{(rest << 12) // 1_000_000:03x}-{end}"


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


def _drawn() -> str:
    """Return the last 64 bits of an id as text, variant and row 0 in them.

    A call of the system for each would cost more than all the rest.
    """
    global _pool
    drawn = os.urandom(_DIGITS * 256).hex()
    texts = [
        f"{_VARIANTS[drawn[at]]}{drawn[at + 1 : at + 4]}-{drawn[at + 4 : at + _DIGITS]}00000"
        for at in range(0, len(drawn), _DIGITS)
    ]
    _pool = iter(texts)
    return next(_pool)


def _forget() -> None:
    global _pool
    _pool = iter(())


os.register_at_fork(after_in_child=_forget)


def _text(number: int) -> str:
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
