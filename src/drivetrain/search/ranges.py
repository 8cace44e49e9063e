"""What was seen of each column, by which a graph tells rows that are unlike the training data.

A column is looked at only where a row like those of training would hardly be flagged by it: the
share of new rows beyond the smallest and largest of n numbers is ``2 / (n + 1)``, and that of new
rows with a text never seen is near the share of texts seen once (Good, Biometrika 1953). Of few
rows the ends are moved out by as far as they lie apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns
from drivetrain.core.contract import Column, Contract
from drivetrain.core.findings import Decision
from drivetrain.graph.extras.ranges import Ranges
from drivetrain.search.together import find_together

RANGES = "out of range"  # what its Decision is about
RARE = 0.01  # share of rows like those of training that one column may flag
MOST_LEVELS = 100_000  # of one column


def find_ranges(
    contract: Contract, columns: Columns, *, seed: int = 0
) -> tuple[Ranges | None, Decision]:
    """Read the ranges from typed columns of training rows; None where nothing can be checked."""
    kinds = {column.name: column for column in contract.columns}
    rows = len(next(iter(columns.values())))
    numbers = [c.name for c in kinds.values() if c.kind in ("number", "boolean")]
    vectors = [c for c in kinds.values() if c.kind == "vector"]
    vectors = [c for c in vectors if 2 * c.width / (rows + 1) <= RARE]
    texts = [c.name for c in kinds.values() if c.kind in ("category", "text")]
    times = [c.name for c in kinds.values() if c.kind == "datetime"]
    levels = {name: _levels(kinds[name], columns[name]) for name in texts}
    texts = [name for name in texts if levels[name] is not None or _is_whole(columns[name])]
    is_wide = 2 / (rows + 1) > RARE
    ends = np.array([_ends(columns[name], is_wide=is_wide) for name in numbers]).reshape(-1, 2)
    items = [np.array([_ends(item, is_wide=False) for item in columns[c.name].T]) for c in vectors]
    vector_ends = np.concatenate([*items, np.zeros((0, 2))])
    found = Ranges(
        numbers=tuple(numbers),
        low=ends[:, 0],
        high=ends[:, 1],
        is_whole=np.array([not np.isnan(columns[name]).any() for name in numbers], np.bool_),
        vectors=tuple(c.name for c in vectors),
        vector_low=vector_ends[:, 0],
        vector_high=vector_ends[:, 1],
        texts=tuple(texts),
        levels=tuple(levels[name] for name in texts),
        times=tuple(name for name in times if (columns[name] != MISSING_TIME).all()),
    )
    checked = [*found.numbers, *found.vectors, *found.texts, *found.times]
    left = [name for name in contract.names if name not in checked]
    reason = "A number beyond what was seen, a new category, or a missing cell where none was "
    reason += f"missing flags a row; {rows:,} rows of training say what was seen."
    if left:
        reason += f" Not looked at: {_listed(left)}, where new values are usual."
    if checked:
        found, together = find_together(found, columns, seed=seed)
        reason += f" {together}"
    choice = f"{len(checked)} of {len(contract.columns)} columns"
    decision = Decision(subject=RANGES, choice=choice, reason=reason)
    return found if checked else None, decision


def _ends(cells: Array, *, is_wide: bool) -> tuple[float, float]:
    known = cells[~np.isnan(cells)]
    if not len(known):
        return -np.inf, np.inf
    finite = known[np.isfinite(known)]
    beyond = float(np.ptp(finite)) if is_wide and len(finite) else 0.0
    return float(known.min()) - beyond, float(known.max()) + beyond


def _levels(column: Column, cells: Array) -> tuple[str, ...] | None:
    """Return the texts of a category, a missing one among them if there was one; None if new
    ones are usual."""
    if column.kind != "category":
        return None
    counts = Counter(cells.tolist())
    once = sum(count == 1 for count in counts.values())
    if once / max(len(cells), 1) > RARE or len(counts) > MOST_LEVELS:
        return None
    return tuple(sorted(counts, key=lambda text: (-counts[text], text)))


def _is_whole(cells: Array) -> bool:
    return not bool((cells == "").any())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
