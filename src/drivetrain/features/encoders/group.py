"""What is usual in a row's group: how many rows it has, its mean of a number, and how far off.

All columns but the last name the group, and so does the last if it is no number. The target has no
part in this. A group that training has not seen (or in fewer than ``min_count`` rows, or past
``limit``) has the share 0 and the mean of all rows.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, Features, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.levels import Levels, find_levels, read_texts
from drivetrain.features.target_means import to_float32
from drivetrain.graph.blocks.arithmetic import Arithmetic
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.lookup import Lookup


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    limit: Annotated[int, msgspec.Meta(ge=1, description="most groups kept")] = 10_000
    min_count: Annotated[int, msgspec.Meta(ge=1, description="fewest rows of a group")] = 2


class GroupEncoder:
    """A group's share of the rows; with a number last, its mean and the row's difference to it."""

    kinds: tuple[Kind, ...] = ("category", "boolean", "number")
    many = True

    def fit(
        self,
        columns: Columns,
        about: tuple[Column, ...],
        target: Target,
        weight: FloatVector | None,
        *,
        seed: int,
        **parameters: Any,
    ) -> FittedEncoder:
        options = settings.build(Parameters, parameters, source="encoder 'group'")
        number = about[-1] if about[-1].kind == "number" else None
        named_by = about if number is None else about[:-1]
        texts = read_texts(columns, named_by)
        levels = find_levels(texts.cells, limit=options.limit, min_count=options.min_count)
        group = " × ".join(column.name for column in named_by)
        shares = np.append(levels.counts / max(len(texts.cells), 1), 0.0)[:, None]
        if number is None:
            table = to_float32(shares)
            lookup = Lookup(texts.wire, "features", levels.keys, table[:-1], table[-1])
            return FittedEncoder((*texts.blocks, lookup), (f"{group}:share",))
        means = _means(levels, columns[number.name])
        base = "+".join(column.name for column in about)
        share, mean, off = (f"{base}#{part}" for part in ("share", "mean", "off"))
        table = to_float32(shares)
        blocks = (
            *texts.blocks,
            Lookup(texts.wire, share, levels.keys, table[:-1], table[-1]),
            Lookup(texts.wire, mean, levels.keys, means[:-1], means[-1]),
            Arithmetic(number.name, mean, off, "difference"),
            Concat((share, mean, off), "features"),
        )
        names = (f"{group}:share", f"{number.name} by {group}", f"{number.name} - by {group}")
        return FittedEncoder(blocks, names)


def _means(levels: Levels, cells: FloatVector) -> Features:
    """Return the mean of the finite numbers of each group, and of all rows last: (K + 1, 1)."""
    finite = np.isfinite(cells)
    size = float(np.abs(cells[finite]).max(initial=1.0))  # sums of huge numbers overflow
    values = np.where(finite, cells, 0.0) / size
    counts = np.bincount(levels.codes, weights=finite, minlength=levels.count + 1)
    sums = np.bincount(levels.codes, weights=values, minlength=levels.count + 1)
    overall = float(sums.sum() / max(counts.sum(), 1.0))
    means = np.where(counts > 0, sums / np.maximum(counts, 1.0), overall)
    means[-1] = overall
    return to_float32(np.asarray(means * size)[:, None])


encoder = GroupEncoder()
