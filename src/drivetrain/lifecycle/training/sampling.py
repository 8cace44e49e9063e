"""How many rows and columns of a large table a time limit lets be prepared, and which."""

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
# And of columns, each of which has kinds, checks, encoders and nodes of its own.
COLUMNS_PER_S = 25.0
LEAST_COLUMNS = 100


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


def columns_beyond(
    table: Table, settings: TrainSettings
) -> tuple[tuple[str, ...], tuple[Decision, ...]]:
    """Return the columns of a wide table that there is no time for, chosen at random.

    By no target: the best of thousands of columns are good by luck, on the rows that judge as well.
    All are taken of those that are named in the settings, or that the bundle of ``like`` reads.
    """
    named = {settings.target, settings.weight, settings.group, settings.time}
    named |= {*settings.keep, *settings.drop, *settings.private, *settings.policy}
    free = [name for name in table.frame.columns if name not in named]
    most = max(LEAST_COLUMNS, int(COLUMNS_PER_S * settings.time_limit))
    if settings.like is not None or len(free) <= most:
        return (), ()
    kept = set(np.random.default_rng(settings.seed).choice(len(free), most, replace=False))
    decision = Decision(
        subject="columns",
        choice=f"{most:,} of {len(free):,} taken at random",
        reason=f"In {settings.time_limit:g} s not so many can be checked, encoded and proved; a "
        f"longer time limit takes more of them ({len(free) / COLUMNS_PER_S:,.0f} s takes all), and "
        "--keep takes those that are named.",
    )
    return tuple(name for place, name in enumerate(free) if place not in kept), (decision,)


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
