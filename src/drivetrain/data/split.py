"""Split rows: a holdout, and folds; stratified, by group, or by time.

Everything here is a function of the target, the group or time column and a seed: row numbers out,
no table in.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array, FloatVector, IndexVector, Mask
from drivetrain.core.contract import Task
from drivetrain.core.errors import DataError, SettingError
from drivetrain.core.folds import Fold, Folds

FEWEST_CELLS = 4  # in the rows that a fold fits on: few of them leave encoders few rows each
HOLDOUT_BINS = 20  # groups are dealt into so many parts, some of which become the holdout


def holdout_share(rows: int) -> float:
    """Return the default share of the holdout: a tenth of a small table, 2,500 rows of a large.

    Examples
    --------
    >>> [holdout_share(n) for n in (1000, 4000, 50_000, 1_000_000)]
    [0.1, 0.1, 0.05, 0.01]
    """
    if rows < 500:
        return float(np.clip(50 / max(rows, 1), 0.1, 0.2))
    return float(np.clip(2500 / rows, 0.01, 0.1))


def holdout_rows(
    y: FloatVector,
    task: Task,
    *,
    share: float | None = None,
    group: Array | None = None,
    time: Array | None = None,
    seed: int,
) -> tuple[IndexVector, IndexVector]:
    """Choose the rows to hold out.

    Parameters
    ----------
    y
        Target, shape (n,): class numbers, or values of a regression.
    share
        Share of the rows to hold out, between 0 and 1; by default :func:`holdout_share`.
    group
        Key of each row, shape (n,): rows of one key stay on one side.
    time
        Time of each row, shape (n,): the latest rows are held out, rows of one time together.
        A missing time (NaN, INT64_MIN) counts as the earliest.

    Returns
    -------
    tuple
        Rows to train on and rows held out, each sorted. A class of two rows or more has one in
        training; a class of one row stays in training.

    Raises
    ------
    DataError
        If there are fewer than two rows, groups or times, or every class has one row.
    SettingError
        If ``share`` is out of its range, or both ``group`` and ``time`` are given.
    """
    rows = len(y)
    _refuse_both(group, time)
    share = holdout_share(rows) if share is None else share
    if not 0 < share < 1:
        raise SettingError(
            where="holdout share",
            expected="a number between 0 and 1",
            got=str(share),
            remedy="Give a share such as 0.2.",
        )
    if rows < 2:
        raise _too_few("rows", rows)
    generator = np.random.default_rng(seed)
    if time is not None:
        held = _latest(time, share)
    elif group is not None:
        held = _held_groups(y, task, group, share, generator)
    else:
        held = _held_rows(y, task, share, generator)
    return np.flatnonzero(~held), np.flatnonzero(held)


def make_folds(
    y: FloatVector,
    task: Task,
    *,
    k: int,
    group: Array | None = None,
    time: Array | None = None,
    seed: int,
) -> Folds:
    """Make k folds, stratified in a classification; by group or time when asked.

    Parameters
    ----------
    y
        Target, shape (n,): class numbers, or values of a regression.
    k
        Folds to make, >= 2; fewer when there are fewer rows or groups.
    group
        Key of each row: no key is in both parts of a fold.
    time
        Time of each row. The rows are cut into k + 1 stretches, rows of one time together; each is
        judged by what is earlier, so the first stretch has no rows to fit on.

    Raises
    ------
    DataError
        If there are fewer than two rows, groups or times.
    SettingError
        If ``k`` < 2, or both ``group`` and ``time`` are given.
    """
    _refuse_both(group, time)
    if k < 2:
        raise SettingError(
            where="folds",
            expected="2 or more",
            got=str(k),
            remedy="Give a number such as 5.",
        )
    rows = len(y)
    if rows < 2:
        raise _too_few("rows", rows)
    generator = np.random.default_rng(seed)
    if time is not None:
        return _time_folds(time, k)
    if group is not None:
        part, kind = _deal_groups(y, task, group, k, generator), "group"
        cells = _cells_of_groups(part, y, task, group, generator)
    else:
        order, kind = generator.permutation(rows), "plain"
        if task != "regression":
            # Dealt class by class: a class of two rows or more is in every fold's fit part.
            order, kind = order[np.argsort(y[order], kind="stable")], "stratified"
        part = _deal(order, k)
        cells = _deal(order, k * _cells_in_each(k))
    parts = tuple(
        Fold(fit=np.flatnonzero(part != fold), judge=np.flatnonzero(part == fold))
        for fold in range(int(part.max()) + 1)
    )
    return Folds(parts=parts, rows=rows, kind=kind, cells=cells)


def _cells_in_each(k: int) -> int:
    """Return how many cells a part has, for at least ``FEWEST_CELLS`` in what a fold fits on."""
    return -(-FEWEST_CELLS // (k - 1))


def _cells_of_groups(
    part: IndexVector, y: FloatVector, task: Task, group: Array, generator: np.random.Generator
) -> IndexVector:
    """Cut each part into cells, whole groups each; return each row's cell."""
    k = int(part.max()) + 1
    cells = part.copy()
    for fold in range(k):
        rows = np.flatnonzero(part == fold)
        if len(np.unique(_comparable(group[rows]))) > 1:
            dealt = _deal_groups(y[rows], task, group[rows], _cells_in_each(k), generator)
            cells[rows] += k * dealt
    return cells


def _refuse_both(group: Array | None, time: Array | None) -> None:
    if group is not None and time is not None:
        raise SettingError(
            where="split",
            expected="a split by group or by time",
            got="both",
            remedy="Leave one of the two out.",
        )


def _too_few(what: str, count: int) -> DataError:
    return DataError(
        where="split",
        expected=f"at least 2 {what}",
        got=str(count),
        remedy="Give more data, or split in another way.",
        code="DT2CC",
    )


def _deal(order: IndexVector, k: int) -> IndexVector:
    """Deal rows in this order round k parts; return each row's part."""
    part = np.empty(len(order), dtype=np.int64)
    part[order] = np.arange(len(order)) % min(k, len(order))
    return part


def _held_rows(y: FloatVector, task: Task, share: float, generator: np.random.Generator) -> Mask:
    rows = len(y)
    wanted = min(max(1, round(share * rows)), rows - 1)
    held = np.zeros(rows, dtype=bool)
    if task == "regression":
        held[generator.permutation(rows)[:wanted]] = True
        return held
    _, number, counts = np.unique(y, return_inverse=True, return_counts=True)
    if counts.max() == 1:
        raise DataError(
            where="split",
            expected="a class of two rows or more: one to learn from, one to judge by",
            got=f"{rows} classes of one row each",
            remedy="Name the target that is meant, or give more rows.",
            code="DT2CP",
        )
    take = _apportioned(counts, wanted)
    for label in range(len(counts)):
        of_class = generator.permutation(np.flatnonzero(number == label))
        held[of_class[: take[label]]] = True
    return held


def _apportioned(counts: IndexVector, wanted: int) -> IndexVector:
    """Share out ``wanted`` rows over classes by largest remainder, leaving one of each class."""
    exact = counts * (wanted / counts.sum())
    take = np.minimum(np.floor(exact).astype(np.int64), counts - 1)
    for label in np.argsort(take - exact, kind="stable"):
        if take.sum() >= wanted:
            break
        if take[label] < counts[label] - 1:
            take[label] += 1
    taken: IndexVector = take
    return taken


def _held_groups(
    y: FloatVector,
    task: Task,
    group: Array,
    share: float,
    generator: np.random.Generator,
) -> Mask:
    bins = max(HOLDOUT_BINS, int(np.ceil(1 / share)))
    part = _deal_groups(y, task, group, bins, generator)
    sizes = np.bincount(part)
    # As many of the dealt parts as come nearest to the share, at least one, never all.
    filled = np.cumsum(sizes)[:-1] / len(y)
    return np.asarray(part <= int(np.argmin(np.abs(filled - share))))


def _deal_groups(
    y: FloatVector, task: Task, group: Array, k: int, generator: np.random.Generator
) -> IndexVector:
    """Deal whole groups to k parts, large ones first, each to the part that has least of its class.

    A group's class is its most frequent one; ties go to the part with the fewest rows.
    """
    _, key, sizes = np.unique(_comparable(group), return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise _too_few("groups", len(sizes))
    main = np.zeros(len(sizes), dtype=np.int64)
    if task != "regression":
        labels = np.unique(y, return_inverse=True)[1]
        pairs, counts = np.unique(np.stack([key, labels]), axis=1, return_counts=True)
        by_count = np.argsort(counts, kind="stable")
        main[pairs[0][by_count]] = pairs[1][by_count]  # the last written is the most frequent
    k = min(k, len(sizes))
    of_class = [[0] * k for _ in range(int(main.max()) + 1)]
    total = [0] * k
    chosen = np.empty(len(sizes), dtype=np.int64)
    shuffled = generator.permutation(len(sizes))
    for number in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        have = of_class[main[number]]
        # An empty part comes first, so that no part stays empty.
        fold = min(range(k), key=lambda at: (total[at] > 0, have[at], total[at]))
        chosen[number] = fold
        have[fold] += int(sizes[number])
        total[fold] += int(sizes[number])
    dealt: IndexVector = chosen[key]
    return dealt


def _comparable(keys: Array) -> Array:
    return keys.astype(str) if keys.dtype == object else keys


def _time_ranks(time: Array) -> tuple[IndexVector, IndexVector]:
    """Return each row's time as a rank from 0, a missing time first, and the rows of each rank."""
    if time.dtype == object:
        time = time.astype(str)
    if time.dtype.kind == "f":
        time = np.where(np.isnan(time), -np.inf, time)
    times, rank, counts = np.unique(time, return_inverse=True, return_counts=True)
    if len(times) < 2:
        raise _too_few("different times", len(times))
    return rank, counts


def _latest(time: Array, share: float) -> Mask:
    rank, counts = _time_ranks(time)
    held_from = np.cumsum(counts[::-1])[::-1][1:] / len(time)  # share held from rank 1, 2, ...
    return np.asarray(rank > int(np.argmin(np.abs(held_from - share))))


def _time_folds(time: Array, k: int) -> Folds:
    rank, counts = _time_ranks(time)
    # A time belongs to the stretch in which its first row lies.
    first_row = np.cumsum(counts) - counts
    _, stretch = np.unique(first_row * (k + 1) // len(time), return_inverse=True)
    part = stretch[rank]
    parts = tuple(
        Fold(fit=np.flatnonzero(part < fold), judge=np.flatnonzero(part == fold))
        for fold in range(int(part.max()) + 1)
    )
    if len(parts) < 2:
        # One time holds nearly all rows: cut after the first.
        late = rank > 0
        parts = (
            Fold(fit=np.empty(0, dtype=np.int64), judge=np.flatnonzero(~late)),
            Fold(fit=np.flatnonzero(~late), judge=np.flatnonzero(late)),
        )
    return Folds(parts=parts, rows=len(time), kind="time")
