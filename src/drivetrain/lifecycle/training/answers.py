"""The stage of ``train`` that adds what was asked for: intervals or sets, costs, ranges.

All of it is decided out of fold, so the holdout can say whether it came true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, Mask
from drivetrain.core.findings import Decision
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.powers import Powers
from drivetrain.graph.extras.ranges import Ranges
from drivetrain.graph.head import Extra
from drivetrain.lifecycle.training.model import Chosen, FittedModel
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.search.conformal import choose_interval, choose_set
from drivetrain.search.costs import explain_costs
from drivetrain.search.ranges import RANGES, find_ranges
from drivetrain.stats.costs import cost_matrix, threshold_of


@dataclass(frozen=True)
class OutOfFold:
    """What a blend answered to rows that its models had not learned from.

    ``answers``: values (n, 1), or probabilities (n, K), calibrated.
    """

    answers: FloatMatrix
    y: FloatVector
    weight: FloatVector | None


def with_answers(fitted: FittedModel, rows: Rows, settings: TrainSettings) -> FittedModel:
    """Add to a model what was asked for, from the out-of-fold answers of its members."""
    if settings.coverage is None and not settings.costs and not settings.out_of_range:
        return fitted
    judged = out_of_fold(fitted.members, fitted.program.calibration, rows)
    extras: list[Extra] = []
    why: list[Decision] = []
    program = fitted.program
    if settings.costs:
        costs = cost_matrix(settings.costs, rows.target.classes)
        if rows.target.task == "binary":
            program = replace(program, threshold=threshold_of(costs))
        else:
            program = replace(program, costs=costs)
        why.append(explain_costs(judged.answers, judged.y, costs))
    if settings.coverage is not None:
        extra, decision = _covering(judged, rows, settings.coverage, settings.seed)
        extras.append(extra)
        why.append(decision)
    if settings.out_of_range:
        ranges, decision = _ranges(fitted, rows, settings.seed)
        extras += [] if ranges is None else [ranges]
        why.append(decision)
    new = {decision.subject for decision in why}
    kept = [decision for decision in fitted.decisions if decision.subject not in new]
    return replace(fitted, program=replace(program, extras=tuple(extras)), decisions=(*kept, *why))


def _ranges(fitted: FittedModel, rows: Rows, seed: int) -> tuple[Extra | None, Decision]:
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
    for block in calibration:
        if isinstance(block, Powers):
            mixed = block.of(mixed)
    if rows.target.task == "binary":
        mixed = np.hstack([1.0 - mixed, mixed])
    elif rows.target.task == "multiclass":
        mixed = mixed / mixed.sum(axis=1, keepdims=True)
    weight = rows.training.weight
    return OutOfFold(mixed, rows.training.y[judged], None if weight is None else weight[judged])


def _covering(judged: OutOfFold, rows: Rows, coverage: float, seed: int) -> tuple[Extra, Decision]:
    found: tuple[Extra, Decision]
    if rows.target.task == "regression":
        prediction = judged.answers[:, 0]
        found = choose_interval(prediction, judged.y, judged.weight, coverage, seed=seed)
    else:
        found = choose_set(judged.answers, judged.y, judged.weight, coverage, seed=seed)
    extra, decision = found
    if rows.every_fold.kind != "time":
        return found
    told = decision.reason + " Rows of later times may be covered less: the holdout tells."
    return extra, Decision(subject=decision.subject, choice=decision.choice, reason=told)
