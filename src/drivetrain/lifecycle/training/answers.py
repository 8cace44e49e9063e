"""The stage of ``train`` that adds what was asked for: intervals or sets, costs, ranges.

All of it is decided out of fold, so the holdout can say whether it came true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, Mask
from drivetrain.core.contract import Target, Task
from drivetrain.core.findings import Decision
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.powers import Powers
from drivetrain.graph.extras.ranges import Ranges
from drivetrain.graph.head import Extra
from drivetrain.lifecycle.training.model import Chosen, FittedModel
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.search.budget import Budget
from drivetrain.search.conformal import choose_interval, choose_set
from drivetrain.search.costs import explain_costs
from drivetrain.search.ranges import RANGES, find_ranges
from drivetrain.stats.costs import cost_matrix, threshold_of

RANGES_S = 1.5  # to learn what rows are like together, on a machine that does nothing else


def answers_s(settings: TrainSettings, budget: Budget) -> float:
    """Seconds that the search leaves for :func:`with_answers`."""
    return budget.slowness * RANGES_S if settings.out_of_range else 0.0


@dataclass(frozen=True)
class OutOfFold:
    """What a blend answered to rows that its models had not learned from.

    ``answers``: values (n, 1), or probabilities (n, K), calibrated.
    """

    answers: FloatMatrix
    y: FloatVector
    weight: FloatVector | None


@dataclass(frozen=True)
class Added:
    """What is added to a head: a threshold of two classes, costs of several, more outputs."""

    threshold: float | None
    costs: FloatMatrix | None
    extras: tuple[Extra, ...]
    decisions: tuple[Decision, ...]


def with_answers(fitted: FittedModel, rows: Rows, settings: TrainSettings) -> FittedModel:
    """Add to a model what was asked for, from the out-of-fold answers of its members."""
    if settings.coverage is None and not settings.costs and not settings.out_of_range:
        return fitted
    judged = out_of_fold(fitted.members, fitted.program.calibration, rows)
    ranges = _ranges(fitted, rows, settings.seed) if settings.out_of_range else None
    added = add_asked(
        judged, rows.target, ranges, coverage=settings.coverage, costs=settings.costs,
        seed=settings.seed, is_time=rows.every_fold.kind == "time",
    )  # fmt: skip
    program = replace(fitted.program, extras=added.extras)
    if added.threshold is not None:
        program = replace(program, threshold=added.threshold)
    if added.costs is not None:
        program = replace(program, costs=added.costs)
    new = {decision.subject for decision in added.decisions}
    kept = [decision for decision in fitted.decisions if decision.subject not in new]
    return replace(fitted, program=program, decisions=(*kept, *added.decisions))


def add_asked(
    judged: OutOfFold,
    target: Target,
    ranges: tuple[Ranges | None, Decision] | None,
    *,
    coverage: float | None,
    costs: Sequence[str],
    seed: int,
    is_time: bool = False,
) -> Added:
    """Choose what was asked for, from answers to rows that the model has not learned from.

    Parameters
    ----------
    ranges
        What was found of them; None where they are not asked for.
    is_time
        Whether the rows to come are later than these.
    """
    extras: list[Extra] = []
    why: list[Decision] = []
    matrix = cost_matrix(costs, target.classes) if costs else None
    if matrix is not None:
        why.append(explain_costs(judged.answers, judged.y, matrix))
    if coverage is not None:
        extra, decision = _covering(judged, target, coverage, seed, is_time=is_time)
        extras.append(extra)
        why.append(decision)
    if ranges is not None:
        found, decision = ranges
        extras += [] if found is None else [found]
        why.append(decision)
    is_two = target.task == "binary"
    return Added(
        threshold=threshold_of(matrix) if matrix is not None and is_two else None,
        costs=None if is_two else matrix,
        extras=tuple(extras),
        decisions=tuple(why),
    )


def _ranges(fitted: FittedModel, rows: Rows, seed: int) -> tuple[Ranges | None, Decision]:
    """Find the ranges, or take those that the model has: they depend on the rows alone."""
    known = [extra for extra in fitted.program.extras if isinstance(extra, Ranges)]
    said = [decision for decision in fitted.decisions if decision.subject == RANGES]
    if known and said:
        return known[0], said[0]
    return find_ranges(rows.contract, rows.training.columns, seed=seed)


def out_of_fold(members: Sequence[Chosen], calibration: Sequence[Block], rows: Rows) -> OutOfFold:
    """Return the blend's answers to the rows that every member's folds have judged."""
    judged: Mask = np.logical_and.reduce([member.trial.judged() for member in members])
    total = sum(member.weight for member in members)
    parts = [member.trial.prediction[judged] * (member.weight / total) for member in members]
    mixed: FloatMatrix = np.sum(parts, axis=0)
    mixed = calibrated(mixed, calibration, rows.target.task)
    weight = rows.training.weight
    return OutOfFold(mixed, rows.training.y[judged], None if weight is None else weight[judged])


def calibrated(mixed: FloatMatrix, calibration: Sequence[Block], task: Task) -> FloatMatrix:
    """Return what a graph makes of a blend: values (n, 1), or calibrated probabilities (n, K)."""
    for block in calibration:
        if isinstance(block, Powers):
            mixed = block.of(mixed)
    if task == "binary":
        return np.hstack([1.0 - mixed, mixed])
    return mixed / mixed.sum(axis=1, keepdims=True) if task == "multiclass" else mixed


def _covering(
    judged: OutOfFold, target: Target, coverage: float, seed: int, *, is_time: bool
) -> tuple[Extra, Decision]:
    found: tuple[Extra, Decision]
    if target.task == "regression":
        prediction = judged.answers[:, 0]
        found = choose_interval(prediction, judged.y, judged.weight, coverage, seed=seed)
    else:
        found = choose_set(judged.answers, judged.y, judged.weight, coverage, seed=seed)
    extra, decision = found
    if not is_time:
        return found
    told = decision.reason + " Rows of later times may be covered less: the holdout tells."
    return extra, Decision(subject=decision.subject, choice=decision.choice, reason=told)
