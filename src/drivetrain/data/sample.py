"""Keep a uniform sample of rows that come in pieces, in memory that does not grow with them."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector, IndexVector, Mask


class RowSample:
    """All rows while they are at most ``most``, else so many of them, each set as likely.

    Every row draws a number, and those with the least are kept, in their own order: the same rows
    and seed give the same sample, however the rows are cut into pieces.

    Parameters
    ----------
    most
        Rows to keep, >= 1; up to twice as many are held in between.

    Examples
    --------
    >>> sample = RowSample(2, seed=0)
    >>> for piece in ([1.0, 2.0], [3.0]):
    ...     sample.add({"y": np.array(piece)})
    >>> sample.seen, len(sample.columns()["y"])
    (3, 2)
    """

    def __init__(self, most: int, *, seed: int) -> None:
        self.seen = 0
        self._most = most
        self._random = np.random.default_rng(seed)
        self._drawn: list[FloatVector] = []
        self._pieces: list[Columns] = []
        self._held = 0
        self._bar = np.inf  # a row that draws more is none of the sample

    def add(self, columns: Columns) -> None:
        """Offer the next rows: arrays of equal length, rank 1 or 2, of the same names each time."""
        rows = len(next(iter(columns.values())))
        drawn = self._random.random(rows)
        self.seen += rows
        self._keep(columns, drawn, drawn <= self._bar)
        if self._held > 2 * self._most:
            self._compact()

    def columns(self) -> Columns:
        """Return the rows kept."""
        self._compact()
        return self._pieces[0] if self._pieces else {}

    def _keep(self, columns: Columns, drawn: FloatVector, chosen: Mask | IndexVector) -> None:
        self._drawn.append(drawn[chosen])
        self._pieces.append({name: values[chosen] for name, values in columns.items()})
        self._held += len(self._drawn[-1])

    def _compact(self) -> None:
        if not self._pieces or (len(self._pieces) == 1 and self._held <= self._most):
            return
        drawn: FloatVector = np.concatenate(self._drawn)
        whole: dict[str, Array] = {}
        for name in tuple(
            self._pieces[0]
        ):  # one column after the other: no moment holds all of them twice
            whole[name] = np.concatenate([piece.pop(name) for piece in self._pieces])
        self._drawn, self._pieces, self._held = [], [], 0
        if len(drawn) > self._most:
            self._bar = float(np.partition(drawn, self._most - 1)[self._most - 1])
        self._keep(whole, drawn, drawn <= self._bar)
