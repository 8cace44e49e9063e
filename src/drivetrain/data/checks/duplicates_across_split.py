"""Rows of the holdout that training has seen."""

from __future__ import annotations

import polars as pl

from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

WORTH_SAYING = 0.01


class DuplicatesAcrossSplit:
    """Counts held-out rows that equal a training row: they make the score too good."""

    needs_target = True

    def run(self, context: CheckContext) -> list[Finding]:
        """Return one finding, or none."""
        hashes = context.row_hashes
        if hashes is None or context.holdout is None:
            return []
        held = pl.Series("held", context.holdout)
        seen = hashes.filter(held).is_in(hashes.filter(~held).unique().implode())
        count = int(seen.sum())
        if not count:
            return []
        share = count / len(seen)
        return [
            Finding(
                check="duplicates_across_split",
                where="rows",
                what=f"{count} of {len(seen)} held-out rows ({share:.1%}) equal a training row.",
                severity="warning" if share >= WORTH_SAYING else "info",
                evidence={"rows": count, "share": round(share, 4)},
                remedy="Remove repeated rows, or split by a group that holds them (group=).",
            )
        ]


check = DuplicatesAcrossSplit()
