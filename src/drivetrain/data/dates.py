"""Which date format a column of texts is written in."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from drivetrain.core.contract import Column
from drivetrain.runtime.kinds.datetime import DatetimeReader
from drivetrain.runtime.kinds.reader import FINE

_DATES = (
    "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%m-%d-%Y", "%d-%m-%Y", "%d %b %Y", "%d-%b-%Y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y",
)  # fmt: skip
_MONTHS = ("%Y-%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
# Of mails, logs and C. "%Z" would take any zone that this machine knows, and read it as UTC.
_WHOLE = (
    "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S UTC", "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z", "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S UTC %Y", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S.%f UTC",
    "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S GMT", "%Y.%m.%d %H:%M:%S", "%Y.%m.%d",
    "%a, %d %b %Y", "%A, %d %b %Y", "%A, %d %B %Y", "%A, %B %d, %Y", "%a %d %b %Y",
    "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p",
)  # fmt: skip
FORMATS = (*(date + time for time in _TIMES for date in _DATES), *_MONTHS, *_WHOLE)
FIRST_LOOK = 20  # a format that reads none of the first cells is not tried on the rest
ENOUGH = 0.95


@dataclass(frozen=True)
class DateFormat:
    """A format that reads a column; ``formats`` is empty where ISO 8601 does."""

    formats: tuple[str, ...]
    share: float  # of the distinct cells
    note: str  # why this one, in words


def find_date_format(texts: Sequence[str]) -> DateFormat | None:
    """Find the format that reads at least 95 % of distinct texts, given in order of first rows.

    Day and month are told apart by numbers above 12; where none is above 12, by the format under
    which the rows are nearer to being in order of time; else the month comes first.

    Examples
    --------
    >>> find_date_format(["12/30/2024", "01/02/2025"]).formats
    ('%m/%d/%Y',)
    """
    look = texts[:FIRST_LOOK]
    if sum(_may_be_date(text) for text in look) < ENOUGH * len(look) or not look:
        return None
    iso = DatetimeReader(Column(name="", kind="datetime"))
    share = sum(iso.read(text)[1] == FINE for text in texts) / len(texts)
    if share >= ENOUGH:
        return DateFormat((), share, "written as ISO 8601")
    found = []
    for form in FORMATS:
        if any(_read(text, form) for text in look):
            times = [_read(text, form) for text in texts]
            found.append((sum(time is not None for time in times) / len(texts), form, times))
    best = max((share for share, _, _ in found), default=0.0)
    if best < ENOUGH:
        return None
    rivals = [(form, times) for share, form, times in found if share == best]
    if len(rivals) == 1:
        return DateFormat((rivals[0][0],), best, f"written as {rivals[0][0]}")
    ordered = sorted(rivals, key=lambda rival: (_disorder(rival[1]), _day_first(rival[0])))
    first, second = ordered[0], ordered[1]
    if _disorder(first[1]) < _disorder(second[1]):
        why = "under which the rows are nearer to being in order of time"
    else:
        why = "by custom, nothing in the data decides: set the format if days come first"
    return DateFormat((first[0],), best, f"{first[0]} and {second[0]} both fit; {first[0]}, {why}")


def is_compact_date(text: str) -> bool:
    """Tell whether eight digits spell a date as YYYYMMDD between 1900 and 2100.

    Examples
    --------
    >>> is_compact_date("20241230"), is_compact_date("20241330")
    (True, False)
    """
    return len(text) == 8 and "1900" <= text[:4] <= "2100" and _read(text, "%Y%m%d") is not None


def _may_be_date(text: str) -> bool:
    digits = sum(character.isdigit() for character in text)
    return 4 <= digits <= 20 and len(text) <= 40 and any(mark in text for mark in "-/. :,")


def _read(text: str, form: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, form)
    except ValueError:
        return None


def _disorder(times: Sequence[dt.datetime | None]) -> int:
    known = [time for time in times if time is not None]
    falls = sum(later < earlier for earlier, later in itertools.pairwise(known))
    return min(falls, len(known) - falls)


def _day_first(form: str) -> bool:
    return form.startswith("%d")
