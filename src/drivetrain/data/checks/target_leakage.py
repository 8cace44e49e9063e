"""Columns that know the target: the target in other words, or what is only known after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import FloatMatrix
from drivetrain.core.contract import Column
from drivetrain.core.findings import Finding
from drivetrain.data.check import CheckContext
from drivetrain.data.linear import RidgeOutOfFold, sums_to
from drivetrain.data.signal import OutOfFold, explained_share, key_of, ranked, separation
from drivetrain.data.target import TargetColumn

FEWEST_ROWS = 20
NEAR_PERFECT_AREA = 0.98
NEAR_PERFECT_SHARE = 0.95
STRONG = 0.5  # of the way from chance to perfect, before screening off is asked
ADDS_NOTHING = 0.03  # of what the column alone reaches
LARGE_PART, SURELY = 0.3, 50  # of the rows, and rows of a class that chance would bring
MOST_INPUTS = 600  # of the linear model over all columns


@dataclass(frozen=True)
class Alone:
    """What one column says of the target, out of fold."""

    column: Column
    predicted: FloatMatrix
    reach: float  # 0 is chance, 1 is perfect
    words: str
    near_perfect: bool


class TargetLeakage:
    """Looks for five signs of a leak.

    One to one: the column maps to the target and back (left out of training). Near perfect: the
    column alone decides nearly every row. Screens off: it is strong, and all other columns, good
    by themselves, add nothing to it, as with the output of another model. Shuts out: with one
    value, that a large part of the rows has, a class never comes. Sum: numbers that add up to the
    target.
    """

    needs_target = True

    def run(self, context: CheckContext) -> list[Finding]:
        """Return a finding for each column, or set of columns, that looks like a leak."""
        target = context.target
        if target is None or context.rows < FEWEST_ROWS or len(np.unique(target.values)) < 2:
            return []
        kinds = ("number", "boolean", "category", "datetime")
        columns = [column for column in context.about(*kinds) if column.distinct > 1]
        key = key_of(target.values)
        same = [column for column in columns if context.key(column) == key]
        found = [_one_to_one(column.name, context) for column in same]
        alone = [_alone(context, column, target) for column in columns if column not in same]
        found += [_near_perfect(one) for one in alone if one.near_perfect]
        rest = [one for one in alone if not one.near_perfect]
        if target.task == "binary":
            found += _shutting_out(context, rest, target)
        found += _screening(context, rest, target)
        if target.task == "regression":
            found += _sum(context, [one.column for one in alone], target)
        return found


def _alone(context: CheckContext, column: Column, target: TargetColumn) -> Alone:
    predicted = context.out_of_fold.predict(*context.codes(column))
    y = context.out_of_fold.y
    share = explained_share(y, predicted)
    if target.task == "binary":
        area = separation(target.values, predicted[:, 0])
        near = area >= NEAR_PERFECT_AREA or share >= NEAR_PERFECT_SHARE
        return Alone(column, predicted, 2 * area - 1, f"AUC {area:.3f} alone", near)
    words = f"{share:.1%} of the target explained alone"
    if target.task == "regression":
        rank = ranked(target.values)[:, None]
        by_rank = explained_share(rank, _means_of_ranks(context, column, rank))
        share = max(share, by_rank)
        words = f"{share:.1%} of the target, or of its ranks, explained alone"
    return Alone(column, predicted, max(share, 0.0), words, share >= NEAR_PERFECT_SHARE)


def _means_of_ranks(context: CheckContext, column: Column, rank: FloatMatrix) -> FloatMatrix:
    return OutOfFold(rank).predict(*context.codes(column))


def _reach(target: TargetColumn, y: FloatMatrix, predicted: FloatMatrix) -> float:
    if target.task == "binary":
        return 2 * separation(target.values, predicted[:, 0]) - 1
    return explained_share(y, predicted)


def _screening(context: CheckContext, rest: list[Alone], target: TargetColumn) -> list[Finding]:
    y, fold = context.out_of_fold.y, context.out_of_fold.fold
    if len(rest) < 3 or y.shape[1] * len(rest) > MOST_INPUTS:
        return []
    strong = [at for at, one in enumerate(rest) if one.reach >= STRONG]
    suspects = sorted(strong, key=lambda at: -rest[at].reach)[:3]
    if not suspects:
        return []
    ridge = RidgeOutOfFold(np.hstack([_evidence(one.predicted, target) for one in rest]), y, fold)
    owner = np.repeat(np.arange(len(rest)), y.shape[1])
    together = _reach(target, y, ridge.predict(np.arange(len(owner))))
    found = []
    for at in suspects:
        by_others = _reach(target, y, ridge.predict(np.flatnonzero(owner != at)))
        reach = rest[at].reach
        if by_others >= STRONG * reach and together - reach <= ADDS_NOTHING * reach:
            found.append(_screens_off(rest[at], by_others, together))
    return found


def _shutting_out(context: CheckContext, rest: list[Alone], target: TargetColumn) -> list[Finding]:
    """Find values that a class never comes with, though chance would bring it often."""
    found = []
    is_second = target.values == 1
    for one in rest:
        codes, count = context.codes(one.column)
        rows = np.bincount(codes, minlength=count)
        second = np.bincount(codes[is_second], minlength=count)
        for label, seen in enumerate((rows - second, second)):
            expected = rows * (seen.sum() / len(codes))
            is_shut = (seen == 0) & (expected >= SURELY) & (rows >= LARGE_PART * len(codes))
            if is_shut.any():
                at = int(np.argmax(is_shut))
                example = context.columns[one.column.name][int(np.argmax(codes == at))]
                found.append(_shuts_out(one, target.classes[label], str(example), expected[at]))
    return found


def _evidence(predicted: FloatMatrix, target: TargetColumn) -> FloatMatrix:
    """Return predictions on the scale on which independent evidence adds up."""
    if target.task == "regression":
        return predicted
    inside = np.clip(predicted, 1e-4, 1 - 1e-4)
    return np.log(inside / (1 - inside))


def _sum(context: CheckContext, columns: list[Column], target: TargetColumn) -> list[Finding]:
    numbers = [column.name for column in columns if column.kind == "number"]
    matrix = np.column_stack([context.columns[name] for name in numbers] or [target.values])
    if len(numbers) < 2 or not np.isfinite(matrix).all(axis=1).any():
        return []
    terms = sums_to(matrix, target.values)
    if terms is None:
        return []
    names = tuple(numbers[at] for at in terms.used)
    formula = " ".join(
        f"{weight:+.3g} × {name}" for weight, name in zip(terms.weights, names, strict=True)
    )
    listed = ", ".join(f"'{name}'" for name in names)
    return [
        Finding(
            check="target_leakage",
            where=f"columns {listed}",
            what=f"Together they give the target: {formula.removeprefix('+')}.",
            severity="warning",
            evidence={"explained": round(terms.explained, 6), "weights": list(terms.weights)},
            remedy=f"Drop what is not known when predicting: --drop {' --drop '.join(names)}",
            columns=names,
        )
    ]


def _one_to_one(name: str, context: CheckContext) -> Finding:
    return Finding(
        check="target_leakage",
        where=f"column '{name}'",
        what="It is the target in other words: each value goes with one value of the target.",
        severity="warning",
        evidence={"rows": context.rows},
        remedy=f"Leave it out: --drop {name}",
        columns=(name,),
        leaves_out=True,
    )


def _near_perfect(one: Alone) -> Finding:
    return Finding(
        check="target_leakage",
        where=f"column '{one.column.name}'",
        what=f"It decides the target nearly alone ({one.words}).",
        severity="warning",
        evidence={"reach": round(one.reach, 4)},
        remedy="If it is not known when predicting, drop it: --drop " + one.column.name,
        columns=(one.column.name,),
    )


def _shuts_out(one: Alone, label: str, example: str, expected: float) -> Finding:
    return Finding(
        check="target_leakage",
        where=f"column '{one.column.name}'",
        what=f"Class '{label}' never comes with values such as '{example}', where chance would "
        f"bring it {expected:.0f} times ({one.words}).",
        severity="warning",
        evidence={"reach": round(one.reach, 4), "expected": round(float(expected), 1)},
        remedy="If it is not known when predicting, drop it: --drop " + one.column.name,
        columns=(one.column.name,),
    )


def _screens_off(one: Alone, by_others: float, by_both: float) -> Finding:
    return Finding(
        check="target_leakage",
        where=f"column '{one.column.name}'",
        what=f"All other columns add nothing to it ({one.words}): it may be the output of a model, "
        "or made from the target.",
        severity="warning",
        evidence={
            "reach": round(one.reach, 4),
            "others": round(by_others, 4),
            "together": round(by_both, 4),
        },
        remedy="If it is not known when predicting, drop it: --drop " + one.column.name,
        columns=(one.column.name,),
    )


check = TargetLeakage()
