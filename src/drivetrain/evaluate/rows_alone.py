"""The rows that the proof compares, and whether each alone is answered as in a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.errors import ParityError
from drivetrain.evaluate.differences import TOLERANCE, relative, same_bits, shown
from drivetrain.evaluate.suspect import extreme_column
from drivetrain.graph.program import Program
from drivetrain.graph.run import open_session

SINGLE_ROWS = 48  # rows of each kind that are also run alone,
SINGLE_CELLS = 20_000  # fewer of tables with more than 400 columns,
LEAST_SINGLE_ROWS = 8  # of which a row takes milliseconds
REMEDY = "Nothing was written. Report this with the versions of the libraries."


@dataclass(frozen=True)
class ComparedRows:
    """Typed columns: so many held-out rows, then adversarial ones."""

    columns: Columns
    held_out: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def name(self, row: int) -> str:
        """Name a row of the library's answers, some of which are of features alone."""
        if row < self.held_out:
            return f"held-out row {row}"
        if row < self.rows:
            return f"adversarial row {row - self.held_out}"
        return f"feature row {row - self.rows}"

    def oddest_column(self, row: int) -> str:
        """Return the column whose cell is the furthest from those of the held-out rows."""
        usual = {name: array[: self.held_out or self.rows] for name, array in self.columns.items()}
        return extreme_column(self.columns, usual, row)


def check_rows_alone(program: Program, model: bytes, compared: ComparedRows, scale: float) -> None:
    """Compare rows alone with the same rows in a batch; ParityError where they differ.

    They are equal bit for bit, but for the last digits of nets and foreign graphs: ONNX Runtime
    computes cosines and matrix products of one row by other instructions.
    """

    def nearly(left: Array, right: Array) -> npt.NDArray[np.bool_]:
        if left.dtype.kind != "f":
            return np.ones(left.shape, np.bool_)  # labels are judged with their probabilities
        return relative(left, right.astype(np.float64), scale) <= TOLERANCE

    same = same_bits if program.is_bit_exact else nearly
    session = open_session(model)
    names = [info.name for info in session.get_inputs()]
    chosen = _chosen(compared, len(names))
    batch = session.run(None, {name: compared.columns[name][chosen] for name in names})
    for place, row in enumerate(chosen.tolist()):
        alone = session.run(None, {name: compared.columns[name][row : row + 1] for name in names})
        for info, one, many in zip(session.get_outputs(), alone, batch, strict=True):
            if not np.all(same(one, many[place : place + 1])):
                raise ParityError(
                    where=f"node '{info.name}', {compared.name(row)} alone, oddest cell in "
                    f"column '{compared.oddest_column(row)}'",
                    expected=f"{shown(many[place : place + 1].ravel())}, as in a batch",
                    got=shown(one.ravel()),
                    remedy=REMEDY,
                    code="DT114",
                )


def _chosen(compared: ComparedRows, columns: int) -> npt.NDArray[np.int64]:
    """Return some rows of each kind, fewer of wide tables."""
    rows, held_out = compared.rows, compared.held_out
    count = min(SINGLE_ROWS, max(LEAST_SINGLE_ROWS, SINGLE_CELLS // columns))
    first = np.linspace(0, max(held_out - 1, 0), count).astype(np.int64)
    last = np.linspace(held_out, rows - 1, count).astype(np.int64)
    return np.unique(np.clip(np.concatenate([first, last]), 0, rows - 1))
