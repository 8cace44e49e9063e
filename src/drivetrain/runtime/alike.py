"""Put rows that are alike beside each other before a batch runs, as the model's metadata says.

See ``drivetrain.graph.alike`` for why. Answers are put back into the rows' order; each is the same
bits as without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatVector, IndexVector
from drivetrain.runtime.forms import Coded

ALIKE_KEY = "drivetrain.alike"  # metadata of the model: JSON list of questions for each column
FEWEST_ROWS = 1_024  # sorting fewer does not pay


class Alike:
    """Sorts rows by the answers to questions about their columns.

    Examples
    --------
    >>> alike = Alike('[{"column": "age", "cuts": [30.0], "digits": [1]}]')
    >>> alike.order({"age": np.array([20.0, 50.0, 25.0])}).tolist()
    [1, 0, 2]
    """

    def __init__(self, questions: str) -> None:
        self._columns = [(one["column"], _reader(one)) for one in json.loads(questions)]

    def order(self, columns: Columns, coded: Mapping[str, Coded] | None = None) -> IndexVector:
        """Return the rows' numbers, rows alike beside each other; a column may be absent."""
        known = coded or {}
        digits = [
            read(known[name].texts)[known[name].codes] if name in known else read(columns[name])
            for name, read in self._columns
            if name in columns
        ]
        return np.argsort(np.sum(digits, axis=0))


def alike_of(metadata: Mapping[str, str], inputs: Sequence[str]) -> Alike | None:
    """Return what sorts rows of these columns; None where the model does not say."""
    questions = metadata.get(ALIKE_KEY)
    if questions is None or not {one["column"] for one in json.loads(questions)} <= set(inputs):
        return None
    return Alike(questions)


def _reader(said: dict[str, Any]) -> Any:
    return _Numbers(said) if "cuts" in said else _Texts(said)


class _Numbers:
    """The digits of a number column: those of all questions ``x <= cut`` that are answered yes."""

    def __init__(self, said: dict[str, Any]) -> None:
        cuts: FloatVector = np.asarray(said["cuts"], np.float64)
        order = np.argsort(cuts)
        self._cuts = cuts[order]
        digits = np.asarray(said["digits"], np.int64)[order]
        # a number above j cuts is <= all others; NaN is sorted above all
        self._digits = np.append(np.cumsum(digits[::-1])[::-1], 0)

    def __call__(self, column: Array) -> IndexVector:
        found: IndexVector = self._digits[np.searchsorted(self._cuts, column)]
        return found


class _Texts(dict[str, int]):
    """The digits of a text column."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__(said["texts"])
        self._other: int = said["other"]

    def __missing__(self, text: str) -> int:
        return self._other

    def __call__(self, column: Array) -> IndexVector:
        return np.fromiter(map(self.__getitem__, column.tolist()), np.int64, len(column))
