"""The TF-IDF words of many texts as a sparse matrix, made by the block that also serves."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivetrain.core.arrays import Array, IndexVector
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.run import run_blocks

CHUNK_ROWS = 512  # dense TF-IDF rows, and their words, held at once


def distinct(cells: Array) -> tuple[Array, IndexVector]:
    """Return the different texts in order of appearance, (d,), and each cell's place, (n,)."""
    places: dict[str, int] = {}
    codes = [places.setdefault(cell, len(places)) for cell in cells]
    texts = np.empty(len(places), object)
    texts[:] = list(places)
    return texts, np.array(codes, np.int64)


def sparse_words(words: Words, cells: Array) -> Any:
    """Run the block on each different text, in chunks, and keep what is not zero.

    Returns
    -------
    csr_matrix
        (n, V) in double.
    """
    from scipy.sparse import csr_matrix, vstack

    texts, codes = distinct(cells)
    chunks = []
    for start in range(0, max(len(texts), 1), CHUNK_ROWS):
        part = {words.column: texts[start : start + CHUNK_ROWS]}
        dense = run_blocks((words,), part, [words.output])[words.output]
        chunks.append(csr_matrix(dense.astype(np.float64)))
    return vstack(chunks, format="csr")[codes]
