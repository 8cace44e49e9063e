"""Rows that are there more than once."""

from __future__ import annotations

from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext

WORTH_SAYING = 0.01


class DuplicateRows:
    """Counts rows equal to an earlier one in all inputs and the target, columns of ids aside."""

    needs_target = False

    def run(self, context: CheckContext) -> list[Finding]:
        """Return one finding, or none."""
        hashes = context.row_hashes
        if hashes is None:
            return []
        repeated = len(hashes) - hashes.n_unique()
        if not repeated:
            return []
        share = repeated / len(hashes)
        first = int(hashes.is_duplicated().arg_true()[0])
        twin = int((hashes == hashes[first]).arg_true()[1])
        return [
            Finding(
                check="duplicate_rows",
                where="rows",
                what=f"{repeated} rows ({share:.1%}) repeat an earlier row.",
                severity="warning" if share >= WORTH_SAYING else "info",
                evidence={"rows": repeated, "share": round(share, 4), "example": [first, twin]},
                remedy="Remove repeated rows, unless each is an observation of its own.",
            )
        ]


check = DuplicateRows()
