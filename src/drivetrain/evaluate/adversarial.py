"""Rows that look for differences between a graph and the fitted thing it claims to be.

:func:`adversarial_columns` makes typed columns of awkward cells, which test encoders and the whole
graph. :func:`threshold_rows` makes rows of features on and beside the thresholds of trees, which
test models: no ordinary row hits a threshold exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from drivetrain.core.arrays import MISSING_TIME, Array, Columns, Features
from drivetrain.core.contract import Column, Contract
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.trees import Trees

FLOAT32_MAX = float(np.finfo(np.float32).max)
DOUBLE_MAX = float(np.finfo(np.float64).max)
INT64_MAX = int(np.iinfo(np.int64).max)
YEAR_1, YEAR_9999_END = -62_135_596_800_000_000, 253_402_300_799_999_999
NUMBERS = (
    np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1.4e-45, 1e-40, -1e-40, 1e-35, -1e-35,
    DOUBLE_MAX, -DOUBLE_MAX, FLOAT32_MAX, -FLOAT32_MAX, float(np.nextafter(FLOAT32_MAX, np.inf)),
    1.0, -1.0, 999.0, -999.0, 2.0**24 + 1, 2.0**53, -(2.0**53), 2.0**63, -(2.0**63), 1e300, 0.1,
)  # fmt: skip
TIMES = (
    MISSING_TIME, MISSING_TIME + 1, INT64_MAX, YEAR_1, YEAR_1 - 1, YEAR_9999_END,
    YEAR_9999_END + 1, 0, -1, 1, 951_782_400_000_000, 951_868_799_999_999, -2_203_891_200_000_000,
)  # fmt: skip
TEXTS = (
    "", " ", "never seen \u2603", "nan", "None", "NULL", "\x1f", "a\x1fb", "\x00", "0", "-0", "4",
    "4.0", "1e400", "x" * 10_000, "\u0130stanbul \ufb01 \u00df \u01c5", "e\u0301\u0301\u0301",
    "\u6f22\u5b57 \u304b\u306a", "\u202eabc", "\U0001f9ea\u200d\U0001f52c", "a\nb\tc",
    "--- ... !!!", "word " * 2_000,
)  # fmt: skip
EDGE_FEATURES = (
    0.0, -0.0, 1e-40, -1e-40, 1e-35, -1e-35, 1e-36, FLOAT32_MAX, -FLOAT32_MAX,
)  # fmt: skip


def adversarial_columns(
    contract: Contract, sample: Columns, rows: int = 300, seed: int = 0
) -> Columns:
    """Make typed columns of awkward cells, the same for the same seed.

    The first row has every cell missing, then each column in turn is alone missing (in tables of
    many columns, some together), then come rows
    of ``sample`` with one awkward cell, and rows with many. Awkward are NaN, ±inf, ±0, denormals,
    the ends of double and float32, the ends of the column's range and their neighbours, unseen,
    empty, very long and Unicode texts, dates from INT64_MIN to year 9999 and beyond.

    Parameters
    ----------
    sample
        Typed columns of at least one ordinary row.
    rows
        Rows wanted: two thirds of them at most for what is missing.
    """
    random = np.random.default_rng(seed)
    awkward = {
        column.name: _awkward_cells(column, sample[column.name]) for column in contract.columns
    }
    missing = {column.name: _missing(column) for column in contract.columns}
    changes: list[dict[str, Any]] = [dict(missing)]
    together = -(-3 * len(missing) // (2 * rows))
    names = list(missing)
    changes += [
        {name: missing[name] for name in names[start : start + together]}
        for start in range(0, len(names), together)
    ]
    single = [{name: cell} for name, cells in awkward.items() for cell in cells]
    random.shuffle(single)
    room = max(rows - len(changes), 0)
    changes += single[: room * 2 // 3]
    while len(changes) < rows:
        changes.append(_several(awkward, random))
    base = random.integers(0, max(_rows(sample), 1), len(changes))
    return {
        column.name: _changed(sample[column.name][base], column.name, changes)
        for column in contract.columns
    }


def _several(awkward: dict[str, list[Any]], random: np.random.Generator) -> dict[str, Any]:
    share = random.uniform(0.1, 1.0)
    return {
        name: cells[random.integers(len(cells))]
        for name, cells in awkward.items()
        if random.random() < share
    }


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values()))) if columns else 0


def _changed(array: Array, name: str, changes: Sequence[dict[str, Any]]) -> Array:
    array = array.copy()
    for row, change in enumerate(changes):
        if name in change:
            array[row] = change[name]
    return array


def _missing(column: Column) -> Any:
    if column.kind in ("category", "text"):
        return ""
    return MISSING_TIME if column.kind == "datetime" else np.nan


def _awkward_cells(column: Column, cells: Array) -> list[Any]:
    if column.kind == "number":
        return [*NUMBERS, *_range_ends(column)]
    if column.kind == "boolean":
        return [0.0, 1.0, np.nan]
    if column.kind == "datetime":
        ends = [int(end) for end in (column.low, column.high) if end is not None]
        near = [end + step for end in ends for step in (-1, 0, 1)]
        return [*TIMES, *(time for time in near if MISSING_TIME <= time <= INT64_MAX)]
    if column.kind == "vector":
        return [np.full(column.width, number) for number in NUMBERS] + [
            np.where(np.arange(column.width) % 2 == 0, number, 0.5) for number in NUMBERS
        ]
    known = [*(column.categories or ())[:3], *(str(cell)[:1000] for cell in cells[:2])]
    variants = [form for text in known for form in (text, text + " ", text.upper(), text + "\x1f")]
    return [*TEXTS, *variants]


def _range_ends(column: Column) -> list[float]:
    near: list[float] = []
    with np.errstate(over="ignore"):
        for end in (column.low, column.high):
            if end is not None:
                narrow = np.float32(end)
                near += [end, float(np.nextafter(end, np.inf)), float(np.nextafter(end, -np.inf))]
                near += [float(narrow), float(np.nextafter(narrow, np.float32(np.inf)))]
    return near


def threshold_rows(
    blocks: Sequence[Block], base_rows: Features, seed: int = 0, limit: int = 1000
) -> Features:
    """Make rows of features where the blocks' decisions are closest.

    For trees: rows that reach a node and lie on its threshold, one float32 beside it on either
    side, and NaN; and rows with one feature tiny or huge. For linear models: rows with one feature
    large. For other blocks: ``base_rows``.

    Parameters
    ----------
    blocks
        A fitted model's.
    base_rows
        Ordinary rows, float32 (b, k), b >= 1, which the made rows vary.
    limit
        Most rows to make. Nodes are sampled when there are more than fit.

    Returns
    -------
    Features
        float32 (m, k), 1 <= m <= limit.
    """
    random = np.random.default_rng(seed)
    made: list[Features] = [base_rows[:1]]
    for block in blocks:
        if isinstance(block, Trees):
            made += _tree_rows(block, base_rows, random, limit)
        elif isinstance(block, Linear):
            made += _single_changes(base_rows, (1e3, -1e3, 1e6, -1e6), random, limit)
    return np.concatenate(made)[:limit] if len(made) > 1 else base_rows[:limit]


def _tree_rows(
    trees: Trees, base_rows: Features, random: np.random.Generator, limit: int
) -> Iterator[Features]:
    nodes = random.permutation(len(trees.feature))[: limit // 5]
    parent = _parents(trees)
    for number, node in enumerate(nodes.tolist()):
        row = _reaching(trees, parent, node, base_rows[number % len(base_rows)])
        rows = np.repeat(row[None, :], 4, axis=0)
        threshold = np.float32(trees.threshold[node])
        with np.errstate(over="ignore"):
            above = np.nextafter(threshold, np.float32(np.inf))
            below = np.nextafter(threshold, np.float32(-np.inf))
        rows[:, trees.feature[node]] = (threshold, above, below, np.nan)
        yield np.clip(rows, -np.float32(FLOAT32_MAX), np.float32(FLOAT32_MAX))
    used = np.unique(trees.feature)
    yield from _single_changes(base_rows, (*EDGE_FEATURES, np.nan), random, limit, used)


def _single_changes(
    base_rows: Features,
    values: Sequence[float],
    random: np.random.Generator,
    limit: int,
    features: npt.NDArray[Any] | None = None,
) -> Iterator[Features]:
    """Vary one feature at a time; every feature as far as the limit allows."""
    pool = np.arange(base_rows.shape[1]) if features is None else features
    for feature in random.permutation(pool)[: max(limit // (5 * len(values)), 1)].tolist():
        rows = np.repeat(base_rows[random.integers(len(base_rows))][None, :], len(values), axis=0)
        rows[:, feature] = np.asarray(values, np.float32)
        yield rows


def _parents(trees: Trees) -> npt.NDArray[np.int64]:
    """Return each node's parent, -1 for roots."""
    parent = np.full(len(trees.feature), -1, np.int64)
    for children in (trees.left, trees.right):
        inner = children >= 0
        parent[children[inner]] = np.flatnonzero(inner)
    return parent


def _reaching(trees: Trees, parent: npt.NDArray[np.int64], node: int, row: Features) -> Features:
    """Return ``row`` changed as little as possible so that it comes to ``node``."""
    low: dict[int, np.float32] = {}
    high: dict[int, np.float32] = {}
    missing_goes: dict[int, bool] = {}
    child, above = node, int(parent[node])
    while above >= 0:
        feature, threshold = int(trees.feature[above]), np.float32(trees.threshold[above])
        is_left = bool(trees.left[above] == child)
        if is_left:
            high[feature] = min(high.get(feature, threshold), threshold)
        else:
            low[feature] = max(low.get(feature, threshold), threshold)
        follows = bool(trees.missing_left[above]) == is_left
        missing_goes[feature] = missing_goes.get(feature, True) and follows
        child, above = above, int(parent[above])
    row = row.copy()
    for feature, follows in missing_goes.items():
        row[feature] = _within(row[feature], low.get(feature), high.get(feature), follows)
    return row


def _within(
    value: np.float32, low: np.float32 | None, high: np.float32 | None, missing_follows: bool
) -> np.float32:
    """Return ``value`` if it lies in (low, high], else the nearest end that does."""
    if np.isnan(value) and missing_follows:
        return value
    if not np.isnan(value) and (low is None or value > low) and (high is None or value <= high):
        return value
    if low is not None and (np.isnan(value) or value <= low):
        return np.float32(np.nextafter(low, np.float32(np.inf)))
    return high if high is not None else value
