"""Sketches of one column: counts over bins that were fixed in training.

A sketch holds integers, a minimum and a maximum, nothing else. So sketches of parts of the rows
merge into exactly the sketch of all of them, in any order, and a window of any length takes the
memory of one: under 1 kB a column. Every drift test of a single column reads nothing but the
sketch of the reference and that of the window.
"""

from __future__ import annotations

from collections import Counter
from itertools import repeat
from typing import TypeAlias

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, FloatVector, IndexVector

MOST_BINS = 20
MOST_LEVELS = 40
LEVEL_BYTES = 3000  # of all names of levels together: a sketch stays under 8 kB
MOST_EXAMPLES = 5


class Cuts(msgspec.Struct, frozen=True, kw_only=True, tag="cuts"):
    """Bins of numbers: bin ``i`` holds ``edges[i-1] < x <= edges[i]``, the outer ones are open.

    ``low`` and ``high`` are the range of the reference.
    """

    edges: tuple[float, ...]
    low: float
    high: float

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1


class Levels(msgspec.Struct, frozen=True, kw_only=True, tag="levels"):
    """Bins of texts: one for each name, the last for all others."""

    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.names) + 1


Bins: TypeAlias = Cuts | Levels


class ColumnSketch(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one column over some rows.

    ``counts`` are over the bins and leave out missing cells. ``below`` and ``above`` are outside
    the reference's range; ``unseen`` are texts that training had never met, ``examples`` the
    first few of them in alphabetical order.
    """

    counts: tuple[int, ...]
    missing: int = 0
    below: int = 0
    above: int = 0
    unseen: int = 0
    low: float | None = None
    high: float | None = None
    examples: tuple[str, ...] = ()

    @property
    def present(self) -> int:
        """Cells that are not missing."""
        return sum(self.counts)

    @property
    def rows(self) -> int:
        """Cells, the missing ones too."""
        return self.present + self.missing

    def shares(self) -> FloatVector:
        """Share of each bin among the cells that are not missing; zeros without any."""
        counts = np.array(self.counts, dtype=np.float64)
        shares: FloatVector = counts / max(1.0, counts.sum())
        return shares


def make_cuts(values: FloatVector, *, bins: int = MOST_BINS) -> Cuts:
    """Choose bins of about equal numbers of values; equal values are never split.

    Parameters
    ----------
    values
        Shape (n,); NaN are left out. Without any other value there is one bin.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return Cuts(edges=(), low=0.0, high=0.0)
    finite = np.clip(present, -np.finfo(np.float64).max, np.finfo(np.float64).max)
    wanted = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(finite, wanted, method="inverted_cdf"))
    low, high = float(finite.min()), float(finite.max())
    # an edge at the maximum would leave an empty last bin
    return Cuts(edges=tuple(float(edge) for edge in edges if edge < high), low=low, high=high)


def make_levels(texts: Array, *, most: int = MOST_LEVELS) -> Levels:
    """Choose the most frequent texts as bins, ``''`` (missing) left out."""
    counted = Counter(texts.tolist())
    counted.pop("", None)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    names: list[str] = []
    room = LEVEL_BYTES
    for name, _ in ranked[:most]:
        room -= len(name.encode("utf-8", "surrogatepass")) + 4
        if room < 0:
            break
        names.append(name)
    return Levels(names=tuple(names))


def number_places(cuts: Cuts, values: FloatVector) -> IndexVector:
    """Return the bin of each number, -1 where it is NaN, shape (n,)."""
    places = np.searchsorted(np.array(cuts.edges), values, side="left").astype(np.int64)
    places[np.isnan(values)] = -1
    return places


def text_places(levels: Levels, texts: Array) -> IndexVector:
    """Return the bin of each text, -1 where it is ``''``, shape (n,)."""
    index = {name: place for place, name in enumerate(levels.names)}
    index[""] = -1
    other = len(levels.names)
    found = map(index.get, texts.tolist(), repeat(other))
    return np.array(list(found), dtype=np.int64)


def sketch_numbers(cuts: Cuts, values: FloatVector, places: IndexVector) -> ColumnSketch:
    """Count numbers over bins; ``places`` are :func:`number_places` of the same values."""
    counts = np.bincount(places + 1, minlength=cuts.count + 1)
    present = values[places >= 0]
    return ColumnSketch(
        counts=tuple(counts[1:].tolist()),
        missing=int(counts[0]),
        below=int(np.count_nonzero(present < cuts.low)),
        above=int(np.count_nonzero(present > cuts.high)),
        low=float(present.min()) if len(present) else None,
        high=float(present.max()) if len(present) else None,
    )


def sketch_texts(
    levels: Levels, texts: Array, places: IndexVector, known: frozenset[str] | None
) -> ColumnSketch:
    """Count texts over bins.

    Parameters
    ----------
    places
        :func:`text_places` of the same texts.
    known
        All texts met in training; None where they were too many to keep, so none is unseen.
    """
    counts = np.bincount(places + 1, minlength=levels.count + 1)
    unseen: Counter[str] = Counter()
    if known is not None:
        others = Counter(texts[places == len(levels.names)].tolist())
        unseen = Counter({text: n for text, n in others.items() if text not in known})
    return ColumnSketch(
        counts=tuple(counts[1:].tolist()),
        missing=int(counts[0]),
        unseen=sum(unseen.values()),
        examples=tuple(sorted(unseen)[:MOST_EXAMPLES]),
    )


def merge_sketches(first: ColumnSketch, second: ColumnSketch) -> ColumnSketch:
    """Return the sketch of the rows of both, which have the same bins.

    Examples
    --------
    >>> one = ColumnSketch(counts=(1, 2), low=0.0, high=3.0)
    >>> merge_sketches(one, ColumnSketch(counts=(0, 1), missing=4, low=-1.0, high=2.0)).rows
    8
    """
    return ColumnSketch(
        counts=tuple(a + b for a, b in zip(first.counts, second.counts, strict=True)),
        missing=first.missing + second.missing,
        below=first.below + second.below,
        above=first.above + second.above,
        unseen=first.unseen + second.unseen,
        low=min((x for x in (first.low, second.low) if x is not None), default=None),
        high=max((x for x in (first.high, second.high) if x is not None), default=None),
        examples=tuple(sorted({*first.examples, *second.examples})[:MOST_EXAMPLES]),
    )


def empty_sketch(bins: Bins) -> ColumnSketch:
    """Return the sketch of no rows."""
    return ColumnSketch(counts=(0,) * bins.count)
