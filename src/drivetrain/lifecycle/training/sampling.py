"""How many rows of a large table a time limit lets be prepared, and which."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import IndexVector
from drivetrain.core.findings import Decision
from drivetrain.data.read import Table
from drivetrain.lifecycle.training.settings import TrainSettings

# What reading, checking and encoding can take of a second of the time limit, with room to spare
# for the search: about 3 µs a cell on one core (docs/lab-log.md, 2026-11-25).
CELLS_PER_S = 100_000.0
LEAST_ROWS = 5_000


def sampled_to(table: Table, settings: TrainSettings) -> tuple[Table, tuple[Decision, ...]]:
    """Take so many rows at random, in their order, as the time limit lets be prepared at all.

    Not a choice by the clock: the same table and time limit give the same rows.
    """
    cells = table.rows * table.frame.width
    most = max(LEAST_ROWS, int(CELLS_PER_S * settings.time_limit / table.frame.width))
    if table.rows <= most:
        return table, ()
    random = np.random.default_rng(settings.seed)
    if settings.group is not None and settings.group in table.frame.columns:
        kept = _whole_groups(table, settings.group, most, random)
    else:
        kept = np.sort(random.choice(table.rows, most, replace=False))
    decision = Decision(
        subject="rows",
        choice=f"{len(kept):,} of {table.rows:,} taken at random",
        reason=f"In {settings.time_limit:g} s not all {cells:,} cells can be read as typed values, "
        "checked, encoded and learned from; a longer time limit takes more of them "
        f"({cells / CELLS_PER_S:,.0f} s takes all).",
    )
    return Table(table.frame[kept], table.source), (decision,)


def _whole_groups(table: Table, group: str, most: int, random: np.random.Generator) -> IndexVector:
    """Take groups at random, with all of their rows, until there are about ``most`` rows."""
    import polars as pl

    codes = np.unique(
        table.frame[group].cast(pl.String).fill_null("").to_numpy(), return_inverse=True
    )[1]
    order = random.permutation(codes.max() + 1)
    taken = np.cumsum(np.bincount(codes)[order]) <= most
    taken[0] = True
    rows: IndexVector = np.flatnonzero(np.isin(codes, order[taken]))
    return rows
