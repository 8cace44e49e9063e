"""Which words of a text column are worth a feature, and their weights."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from drivetrain.core.arrays import Array, Features

# Close to the graph's own cut (runs of letters and digits of any script). It only chooses words:
# what a word counts for in training comes from the block that also serves.
_WORD = re.compile(r"[^\W_]+")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Vocabulary:
    """Words in order of the texts that hold them, most first, then pairs; float32 weights (V,)."""

    words: tuple[str, ...]
    weights: Features


def find_vocabulary(cells: Array, *, limit: int, pairs: int, min_count: int) -> Vocabulary:
    """Choose the words, and pairs of words that follow each other, that the most texts hold.

    Parameters
    ----------
    cells
        Texts of the training rows, object (n,).
    limit, pairs
        The most words, >= 1, and the most pairs, >= 0. A pair never takes a word's place: where
        there are more words than room, words tell more (docs/lab-log.md).
    min_count
        The fewest texts that hold a word or a pair.

    Returns
    -------
    Vocabulary
        A pair has a blank between its words. Weights are smooth inverse document frequencies,
        ``ln((1 + n) / (1 + df)) + 1``.

    Examples
    --------
    >>> cells = np.array(["not good", "good", "not good at all"], dtype=object)
    >>> find_vocabulary(cells, limit=3, pairs=1, min_count=2).words
    ('good', 'not', 'not good')
    """
    words: Counter[str] = Counter()
    neighbours: Counter[str] = Counter()
    for cell in cells:
        found = words_of(cell)
        words.update(set(found))
        if pairs:
            neighbours.update({f"{first} {second}" for first, second in pairwise(found)})
    kept = _most(words, limit, min_count) + _most(neighbours, pairs, min_count)
    frequency = np.array([count for _, count in kept], np.float64)
    weights = np.log((1.0 + len(cells)) / (1.0 + frequency)) + 1.0
    return Vocabulary(tuple(word for word, _ in kept), weights.astype(np.float32))


def words_of(cell: str) -> list[str]:
    """Return the words of a text, in lower case.

    Examples
    --------
    >>> words_of("Police Officer III")
    ['police', 'officer', 'iii']
    """
    return _WORD.findall(cell.translate(_ASCII_LOWER))


def _most(documents: Counter[str], limit: int, min_count: int) -> list[tuple[str, int]]:
    ordered = sorted(documents.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(word, count) for word, count in ordered if count >= min_count][:limit]
