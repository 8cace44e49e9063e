"""Make ``vectors.json``: rows by which any engine can prove that it answers as this one does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.contract import Contract
from drivetrain.runtime.cells import WIDEST, canonical, is_missing
from drivetrain.runtime.vectors import Vectors, tensor_of


def make_vectors(
    contract: Contract,
    raw_rows: Sequence[dict[str, Any]],
    columns: Columns,
    outputs: dict[str, Array],
) -> bytes:
    """Write raw rows, their tensors and the graph's outputs as JSON.

    Parameters
    ----------
    raw_rows
        Cells as they came, a dict for each row, 16 to 32 of them. Columns that are no inputs are
        left out.
    columns
        What ``admit`` made of these rows.
    outputs
        What the graph gave for ``columns``.
    """
    rows = [
        {name: _json_cell(row[name]) for name in contract.names if name in row} for row in raw_rows
    ]
    vectors = Vectors(
        rows=tuple(rows),
        tensors=tuple(tensor_of(name, columns[name]) for name in contract.names),
        outputs=tuple(tensor_of(name, outputs[name]) for name in sorted(outputs)),
    )
    return msgspec.json.format(msgspec.json.encode(vectors), indent=1)


def _json_cell(cell: object) -> Any:
    """Give a cell as JSON can hold it, such that ``admit`` reads the same from it."""
    if is_missing(cell):
        return None
    if isinstance(cell, (list, tuple, np.ndarray)):
        return [_json_cell(item) for item in cell]
    if isinstance(cell, (bool, np.bool_)):
        return bool(cell)
    if isinstance(cell, (int, np.integer)):
        # many JSON readers hold numbers as doubles
        return int(cell) if abs(int(cell)) <= WIDEST else canonical(cell)
    if isinstance(cell, (float, np.floating)):
        return float(cell) if np.isfinite(cell) else canonical(cell)
    return str(cell) if isinstance(cell, str) else canonical(cell)
