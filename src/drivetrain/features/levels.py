"""The levels of category-like columns: which texts a fitted encoder knows, most frequent first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector, IndexVector
from drivetrain.core.contract import Column
from drivetrain.graph.block import Block, Wire
from drivetrain.graph.blocks.join import Join, NumberText
from drivetrain.graph.run import run_blocks


@dataclass(frozen=True)
class Levels:
    """Texts that training knows, and where each row has them.

    Attributes
    ----------
    keys
        K texts, most frequent first; of two equally frequent, the smaller text first.
    counts
        Rows of each level, float64 (K,).
    codes
        Level of each training row, int64 (n,); K where the row's text is no level.
    """

    keys: tuple[str, ...]
    counts: FloatVector
    codes: IndexVector

    @property
    def count(self) -> int:
        """K, which is also the code of a text that is no level."""
        return len(self.keys)

    def label(self, number: int) -> str:
        """Return the level as a report writes it."""
        return self.keys[number].replace("\x1f", " × ") or "(missing)"


def find_levels(cells: Array, *, limit: int, min_count: int) -> Levels:
    """Find the levels of a column of texts.

    Parameters
    ----------
    cells
        Texts of the training rows, object (n,); ``''`` is a text like any other.
    limit
        The most levels kept, >= 1.
    min_count
        A text in fewer rows is no level, so that training sees what unseen texts look like.
    """
    number: dict[str, int] = {}
    first_codes = np.fromiter(
        (number.setdefault(cell, len(number)) for cell in cells), np.int64, len(cells)
    )
    texts = list(number)
    rows = np.bincount(first_codes, minlength=len(texts))
    order = sorted(range(len(texts)), key=lambda level: (-rows[level], texts[level]))
    kept = [level for level in order if rows[level] >= min_count][:limit]
    renumbered = np.full(len(texts), len(kept), np.int64)
    renumbered[kept] = np.arange(len(kept))
    return Levels(
        keys=tuple(texts[level] for level in kept),
        counts=rows[kept].astype(np.float64),
        codes=renumbered[first_codes],
    )


@dataclass(frozen=True)
class Texts:
    """One text for each row, made of one or more category-like columns.

    ``blocks`` write the wire ``wire``; they are empty where the column itself is the text.
    """

    blocks: tuple[Block, ...]
    wire: Wire
    cells: Array  # object (n,) of str


def read_texts(columns: Columns, about: tuple[Column, ...]) -> Texts:
    """Return the text of one column, or the joined texts of several.

    Numbers and booleans are written as whole numbers; one that is not whole is ``?``.
    """
    blocks: list[Block] = []
    wires: list[Wire] = []
    # Longer than every column's name that this encoder reads, so no wire takes a column's place.
    base = "+".join(column.name for column in about)
    for number, column in enumerate(about):
        if column.kind in ("number", "boolean"):
            blocks.append(NumberText(column.name, f"{base}#text{number}"))
            wires.append(f"{base}#text{number}")
        else:
            wires.append(column.name)
    if len(wires) > 1:
        blocks.append(Join(tuple(wires), f"{base}#joined"))
        wires = [f"{base}#joined"]
    (wire,) = wires
    cells = columns[wire] if not blocks else run_blocks(tuple(blocks), columns, [wire])[wire]
    return Texts(tuple(blocks), wire, cells)
