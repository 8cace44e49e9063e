"""The TF-IDF words of many texts as a sparse matrix, made by the block that also serves."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.run import run_blocks

CHUNK_ROWS = 512  # dense TF-IDF rows, and their words, held at once


def sparse_words(words: Words, cells: Array) -> Any:
    """Run the block in chunks, and keep what is not zero: csr_matrix (n, V) in double."""
    from scipy.sparse import csr_matrix, vstack

    chunks = []
    for start in range(0, max(len(cells), 1), CHUNK_ROWS):
        part = {words.column: cells[start : start + CHUNK_ROWS]}
        dense = run_blocks((words,), part, [words.output])[words.output]
        chunks.append(csr_matrix(dense.astype(np.float64)))
    return vstack(chunks, format="csr")
