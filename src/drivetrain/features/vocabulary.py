"""Which words of a text column are worth a feature, and their weights."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import Array, Features

# Close to the graph's own cut (runs of letters and digits of any script). It only chooses words:
# what a word counts for in training comes from the block that also serves.
_WORD = re.compile(r"[^\W_]+")
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Vocabulary:
    """Words in order of the texts that hold them, most first, and float32 weights (V,)."""

    words: tuple[str, ...]
    weights: Features


def find_vocabulary(cells: Array, *, limit: int, min_count: int) -> Vocabulary:
    """Choose the words that the most texts hold.

    Parameters
    ----------
    cells
        Texts of the training rows, object (n,).
    limit
        The most words, >= 1.
    min_count
        The fewest texts that hold a word.

    Returns
    -------
    Vocabulary
        Its weights are smooth inverse document frequencies, ``ln((1 + n) / (1 + df)) + 1``.
    """
    documents: dict[str, int] = {}
    for cell in cells:
        for word in set(_WORD.findall(cell.translate(_ASCII_LOWER))):
            documents[word] = documents.get(word, 0) + 1
    ordered = sorted(documents.items(), key=lambda pair: (-pair[1], pair[0]))
    kept = [(word, count) for word, count in ordered if count >= min_count][:limit]
    frequency = np.array([count for _, count in kept], np.float64)
    weights = np.log((1.0 + len(cells)) / (1.0 + frequency)) + 1.0
    return Vocabulary(tuple(word for word, _ in kept), weights.astype(np.float32))
