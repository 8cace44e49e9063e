"""Compare two shares."""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivetrain.stats.p_values import two_sided


@dataclass(frozen=True)
class ShareChange:
    """How a share changed, and how easily chance alone would change it so."""

    was: float
    now: float
    p_value: float
    expected: float  # mean absolute change by chance alone

    @property
    def change(self) -> float:
        """Now less before."""
        return self.now - self.was


def compare_shares(before: int, rows_before: int, after: int, rows_after: int) -> ShareChange:
    """Test whether two shares are the same, by the pooled normal test with continuity correction.

    Parameters
    ----------
    before, after
        Rows that have the property.
    rows_before, rows_after
        Rows in all, >= 1.

    Examples
    --------
    >>> compare_shares(0, 1000, 0, 1000).p_value
    1.0
    """
    was, now = before / rows_before, after / rows_after
    pooled = (before + after) / (rows_before + rows_after)
    per_row = 1 / rows_before + 1 / rows_after
    spread = math.sqrt(pooled * (1 - pooled) * per_row)
    if spread == 0:
        return ShareChange(was, now, 1.0, 0.0)
    distance = max(0.0, abs(now - was) - per_row / 2)
    return ShareChange(was, now, two_sided(distance / spread), spread * math.sqrt(2 / math.pi))
