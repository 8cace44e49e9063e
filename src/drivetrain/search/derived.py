"""Features made of two columns: which of them are worth a trial.

Two columns may say together what neither says alone, nor both one after the other. For each pair
of the columns that say most of the target, the out-of-fold means over what a feature would show are
compared with the sum of what its two columns show by themselves. What is left over decides, where
it is more than luck: the rows that tell it also judge the trial with the chosen features, which has
to win out of fold like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from drivetrain.core.arrays import Columns, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Column, Contract
from drivetrain.core.findings import Decision
from drivetrain.core.folds import Folds
from drivetrain.data.signal import codes_of, explained_share
from drivetrain.features.encoder import EncoderSpec, Target

MOST_INPUTS = 200  # columns; on more, the comparing would take seconds
MOST_ROWS = 20_000  # on which the features are compared
MOST_NUMBERS, MOST_GROUPS = 8, 12  # columns, those that say most alone
MOST_FEATURES = 6  # taken of numbers,
MOST_CROSSES = 24  # and of categories: where they have many values, many pairs say more
LEAST_GAIN = 0.003  # share of the target's variance that the two columns alone leave unexplained
SURE = 3.0  # standard errors that a gain must be of: among hundreds of pairs, some have luck
MOST_CLASSES = 4  # a cross is a feature for each class
MOST_VALUES = 200  # values of a number that is taken for a category in crosses
ROWS_TO_A_CELL = 1.5  # that a cross has on average; means of few rows stay near the mean of all
SMOOTHING = 10.0
NUMBER = Column(name="derived", kind="number")
OPERATIONS = ("difference", "ratio", "product")


@dataclass(frozen=True)
class Derived:
    """A feature that may be worth while, and how much it says beyond its two columns."""

    spec: EncoderSpec
    gain: float


def find_derived(
    contract: Contract, columns: Columns, target: Target, folds: Folds, seed: int
) -> tuple[Derived, ...]:
    """Return the features that say most beyond their columns, the best first.

    Parameters
    ----------
    columns
        Of the n training rows.
    folds
        Each row is judged by means over the rows that its fold fits on.
    """
    if len(contract.columns) > MOST_INPUTS:
        return ()
    rows = np.arange(folds.rows)
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False))
    judge = _Judge(target.one_hot()[rows], folds, rows)
    some = {name: columns[name][rows] for name in contract.names}
    usable = [c for c in contract.columns if c.kind in ("number", "category", "boolean")]
    alone = {c.name: judge.predict(*codes_of(some[c.name], c)) for c in usable}
    strength = {name: judge.share(prediction) for name, prediction in alone.items()}
    found = []
    for spec, codes, count in _candidates(usable, some, strength, target):
        beside = judge.beside(*(alone[name] for name in spec.columns[-2:]))
        both = judge.share(beside)
        derived = judge.predict(codes, count)
        gain = judge.share(derived) - both
        if gain > LEAST_GAIN * max(1.0 - both, 0.0) and judge.errors(derived, beside) > SURE:
            found.append(Derived(spec, gain))
    found.sort(key=lambda one: -one.gain)
    best: dict[frozenset[str], Derived] = {}
    for one in found:  # the ratio of two numbers says much of what their difference does
        best.setdefault(frozenset(one.spec.columns), one)
    crosses = [one for one in best.values() if one.spec.encoder == "cross"][:MOST_CROSSES]
    others = [one for one in best.values() if one.spec.encoder != "cross"][:MOST_FEATURES]
    return tuple(sorted((*crosses, *others), key=lambda one: -one.gain))


def explain(derived: tuple[Derived, ...]) -> Decision:
    """Say which features are tried."""
    named = [f"{one.spec.encoder} of {' and '.join(one.spec.columns)}" for one in derived]
    return Decision(
        subject="features of two columns",
        choice="; ".join(named) or "none",
        reason="Out of fold they tell more of the target than their columns do one beside the "
        "other. A trial has to win with them before they are kept."
        if named
        else "No pair of columns tells more together than one beside the other.",
    )


class _Judge:
    """Predicts the rows of each fold by means over the rows it fits on."""

    def __init__(self, y: FloatMatrix, folds: Folds, rows: IndexVector) -> None:
        self._y = y
        part = np.full(folds.rows, -1)
        for number, fold in enumerate(folds.for_models()):
            part[fold.judge] = number
        self._part = part[rows]
        self._in_order = folds.kind == "time"
        self._judged = self._part >= 0

    def predict(self, codes: IndexVector, count: int) -> FloatMatrix:
        """Return the smoothed mean of each row's code, float64 (n, t)."""
        predicted = np.zeros_like(self._y)
        for number in range(int(self._part.max(initial=-1)) + 1):
            fit = self._part < number if self._in_order else self._part != number
            judge = self._part == number
            prior = self._y[fit].mean(axis=0) if fit.any() else self._y.mean(axis=0)
            mass = np.bincount(codes[fit], minlength=count) + SMOOTHING
            for at in range(self._y.shape[1]):
                sums = np.bincount(codes[fit], weights=self._y[fit, at], minlength=count)
                means = (sums + SMOOTHING * prior[at]) / mass
                predicted[judge, at] = means[codes[judge]]
        return predicted

    def beside(self, first: FloatMatrix, second: FloatMatrix) -> FloatMatrix:
        """Return what two columns show one beside the other: the better of both and their sum."""
        added = first + second - self._y[self._judged].mean(axis=0)
        return max((first, second, added), key=self.share)

    def share(self, predicted: FloatMatrix) -> float:
        """Return the share of the variance that is explained in the judged rows."""
        return explained_share(self._y[self._judged], predicted[self._judged])

    def errors(self, better: FloatMatrix, than: FloatMatrix) -> float:
        """Return by how many standard errors a prediction's squared error is the smaller one."""
        squares = [np.sum((self._y - one) ** 2, axis=1)[self._judged] for one in (than, better)]
        gains = squares[0] - squares[1]
        error = np.std(gains) / np.sqrt(max(len(gains), 1))
        return float(np.mean(gains) / error) if error > 0 else 0.0


def _candidates(
    usable: list[Column], some: Columns, strength: dict[str, float], target: Target
) -> Iterator[tuple[EncoderSpec, IndexVector, int]]:
    """Give features with the codes of what they show of the rows, and how many codes there are."""
    rows = len(next(iter(some.values()))) if some else 0
    ranked = sorted(usable, key=lambda column: -strength[column.name])
    numbers = [c for c in ranked if c.kind == "number"][:MOST_NUMBERS]
    groups = [c for c in ranked if _is_group(c)][:MOST_GROUPS]
    for left, right in combinations(numbers, 2):
        pair = (left.name, right.name)
        for operation in OPERATIONS:
            spec = EncoderSpec("arithmetic", pair, {"operation": operation})
            yield spec, *codes_of(_combined(some[left.name], some[right.name], operation), NUMBER)
    for group in groups:
        codes, count = codes_of(some[group.name], group)
        for number in numbers:
            if number.name != group.name:
                spec = EncoderSpec("group", (group.name, number.name), {})
                yield spec, *codes_of(_off(codes, count, some[number.name]), NUMBER)
    if target.classes > MOST_CLASSES:
        return
    coded = {column.name: codes_of(some[column.name], column) for column in groups}
    for left, right in combinations(groups, 2):
        joined, count = _joined(coded[left.name], coded[right.name])
        if count * ROWS_TO_A_CELL <= rows:
            spec = EncoderSpec("cross", (left.name, right.name), {"count": True})
            yield spec, joined, count


def _is_group(column: Column) -> bool:
    if column.kind == "number":
        return column.integral and column.distinct <= MOST_VALUES
    return True


def _combined(left: FloatVector, right: FloatVector, operation: str) -> FloatVector:
    with np.errstate(all="ignore"):
        if operation == "difference":
            value = left - right
        elif operation == "product":
            value = left * right
        else:
            value = np.where(right == 0, np.nan, left / right)
    return np.where(np.isfinite(value), value, np.nan)


def _off(codes: IndexVector, count: int, number: FloatVector) -> FloatVector:
    """Return each row's difference to its group's mean."""
    known = np.isfinite(number)
    rows = np.bincount(codes[known], minlength=count)
    sums = np.bincount(codes[known], weights=number[known], minlength=count)
    with np.errstate(all="ignore"):
        off = number - (sums / np.maximum(rows, 1))[codes]
    return np.where(np.isfinite(off), off, np.nan)


def _joined(
    left: tuple[IndexVector, int], right: tuple[IndexVector, int]
) -> tuple[IndexVector, int]:
    """Return a code for each pair of codes that occurs, and how many there are."""
    pairs, codes = np.unique(left[0] * right[1] + right[0], return_inverse=True)
    return codes.astype(np.int64), len(pairs)
