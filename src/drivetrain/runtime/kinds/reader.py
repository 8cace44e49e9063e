"""What reads the cells of one column: the scalar definition, and the forms made equal to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Action, Breach, Column
from drivetrain.runtime.cells import UnreadableCell, canonical, is_missing
from drivetrain.runtime.forms import Cells, Coded, Things, things

FINE, JUNK, MISSING, UNSEEN, RANGE, INFINITE = range(6)
_KEPT_TEXTS, _KEPT_LENGTH = 4096, 64  # at most about 1 MB for a column
BREACHES: tuple[Breach, ...] = ("junk", "junk", "missing", "unseen", "range", "infinite")


@dataclass(frozen=True)
class Reading:
    """Values before the policy, and what each cell breaches: uint8 (n,), 0 for nothing.

    ``coded`` says the values of texts that repeat once more, each once.
    """

    values: Array
    breaches: npt.NDArray[np.uint8]
    coded: Coded | None = None


class Reader:
    """Reads the cells of one column.

    A kind gives :meth:`read`, the definition. :meth:`read_many` applies it to each distinct cell;
    a kind overrides it where whole arrays can be read faster, with equal bits.
    """

    dtype: ClassVar[Any] = np.float64
    absent: Any = np.nan  # the missing value of the kind
    expected: str  # in words, for messages

    def __init__(self, column: Column) -> None:
        self.column = column
        self.known: dict[str, tuple[Any, int]] = {}  # texts that came before, as they were read
        self.missing = frozenset({"", *(canonical(text) for text in column.missing_values)})
        policy = column.policy
        self.actions: tuple[Action, ...] = (
            "count", policy.junk, policy.missing, policy.unseen, policy.range, policy.infinite,
        )  # fmt: skip

    def read(self, cell: object) -> tuple[Any, int]:
        """Read one cell: its value and what it breaches."""
        try:
            text = canonical(cell)
        except UnreadableCell:
            return self.absent, JUNK
        if text in self.missing:
            return self.absent, MISSING
        return self.read_text(text)

    def read_text(self, text: str) -> tuple[Any, int]:
        """Read a canonical text that is not missing."""
        raise NotImplementedError

    def stand_in(self, value: Any, breach: int) -> Any:
        """Return what ``coerce`` puts in the place of a value."""
        return self.absent

    def read_again(self, cell: object) -> tuple[Any, int]:
        """Do what :meth:`read` does, faster for texts that came before."""
        if type(cell) is not str:
            return self.read(cell)
        pair = self.known.get(cell)
        if pair is None:
            pair = self.read(cell)
            if len(cell) <= _KEPT_LENGTH:
                if len(self.known) >= _KEPT_TEXTS:
                    self.known.clear()
                self.known[cell] = pair
        return pair

    def read_many(self, cells: Cells) -> Reading:
        """Read a whole column."""
        found = things(cells)
        if found.codes is None:
            found = _coded(found)
        read = list(map(self.read_again if found.codes is None else self.read, found.items))
        values = self.pack([value for value, _ in read])
        breaches = np.array([breach for _, breach in read], dtype=np.uint8)
        if found.codes is None:
            return Reading(values, breaches)
        is_few = self.dtype is object and 2 * len(values) <= len(found)
        coded = Coded(values, found.codes) if is_few else None
        return Reading(values[found.codes], breaches[found.codes], coded)

    def pack(self, values: list[Any]) -> Array:
        """Make the typed column of n values."""
        return np.array(values, dtype=self.dtype)

    def coerce(self, values: Array, breach: int, rows: Array) -> None:
        """Put the stand-ins into ``values`` at ``rows``, in place."""
        for row in rows:
            values[row] = self.stand_in(values[row], breach)


class _Places(dict[object, int]):
    """Numbers things in order of appearance."""

    def __missing__(self, thing: object) -> int:
        self[thing] = place = len(self)
        return place


def _coded(found: Things) -> Things:
    """Give each different text once, where all cells are texts or missing: others may be equal and
    yet not the same, as 1 and True."""
    places = _Places()
    try:
        codes = np.fromiter(map(places.__getitem__, found.items), np.int64, len(found.items))
    except TypeError:  # lists have no place in a dict
        return found
    if not all(type(item) is str or is_missing(item) for item in places):
        return found
    return Things(list(places), codes)
