"""Requests of one model: how many, how many failed, how long they took; tallies add up."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate

import msgspec

# From 20 µs, four buckets for each doubling: a quantile is known to a fifth of itself.
BOUNDS_S = tuple(20e-6 * 2 ** (step / 4) for step in range(88))


class Tally(msgspec.Struct):
    """Counts since some moment.

    ``durations`` counts answered requests between the bounds, the first bucket below 20 µs.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.answered(0.001)
    >>> tally.failed += 1
    >>> tally.requests, round(tally.quantile(0.5), 4)
    (2, 0.001)
    """

    failed: int = 0
    seconds: float = 0.0  # of the answered
    durations: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))

    @property
    def requests(self) -> int:
        """Answered and failed ones."""
        return self.failed + sum(self.durations)

    def answered(self, seconds: float) -> None:
        """Count one that was answered."""
        self.seconds += seconds
        self.durations[bisect_right(BOUNDS_S, seconds)] += 1

    def plus(self, other: Tally, *, sign: int = 1) -> Tally:
        """Return both together; with ``sign`` -1 what came after ``other``."""
        return Tally(
            failed=self.failed + sign * other.failed,
            seconds=self.seconds + sign * other.seconds,
            durations=[a + sign * b for a, b in zip(self.durations, other.durations, strict=True)],
        )

    def quantile(self, share: float) -> float:
        """Return the time in seconds that this share of the answered stays under; NaN for none."""
        answered = sum(self.durations)
        if not answered:
            return math.nan
        place = bisect_left(list(accumulate(self.durations)), share * answered)
        low = BOUNDS_S[max(0, place - 1)]
        return low if place in (0, len(BOUNDS_S)) else math.sqrt(low * BOUNDS_S[place])


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time of one server's worker; times in µs since 1970, ``models`` by hash."""

    since_us: int
    until_us: int
    models: dict[str, Tally]
