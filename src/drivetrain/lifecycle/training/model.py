"""What the search chose: a Program, and the fitted members that it was made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import Array, Features, FloatMatrix
from drivetrain.core.findings import Decision
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.ramps import Ramps
from drivetrain.graph.program import Member, Program
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.lifecycle.training.settings import GivenUp, TrialRow
from drivetrain.search.recipe import Recipe
from drivetrain.search.shrink import Measured
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import Metric


@dataclass(frozen=True)
class Chosen:
    """A trial in the blend, its fitted encoders, and their features of the proof's rows.

    ``recipe`` is the one that the search chose; fitted again on every row, ``trial`` may have
    another, with as many rounds or trees as all rows ask for.
    """

    recipe: Recipe
    trial: Trial
    encoders: tuple[tuple[Block, ...], ...]
    proof_matrix: Features
    weight: float


@dataclass(frozen=True)
class Teacher:
    """What an ensemble says of rows that its models have not seen.

    ``training`` is (n, t), out of fold, NaN where no fold judges; ``holdout`` is (m, t).
    """

    name: str
    training: FloatMatrix
    holdout: FloatMatrix

    def of_every(self, rows: Rows) -> FloatMatrix:
        """Return what it says of training and holdout together, in their order."""
        every = np.full((rows.every.rows, self.training.shape[1]), np.nan)
        every[rows.of_training] = self.training
        every[rows.of_holdout[: len(self.holdout)]] = self.holdout
        return every


@dataclass(frozen=True)
class FittedModel:
    """What the search chose, and ``front``, the smaller and larger models that it chose from.

    ``linear`` is what the linear trial predicts on the holdout, a baseline for the Scorecard.
    """

    program: Program
    members: tuple[Chosen, ...]
    metric: Metric
    linear: Array | None
    leaderboard: tuple[TrialRow, ...]
    front: tuple[Measured, ...]
    given_up: GivenUp | None
    teacher: Teacher | None  # of a student among the members
    decisions: tuple[Decision, ...]


def members_of(program: Program, members: tuple[Chosen, ...]) -> Program:
    """Return the program with these members in place of its own."""
    return replace(
        program,
        members=tuple(
            Member(
                name=member.trial.key,
                encoders=member.encoders,
                folds=tuple(fold.blocks for fold in member.trial.folds),
                link=member.trial.link,
                weight=member.weight,
                curve=_curve(member.trial),
            )
            for member in members
        ),
    )


def _curve(trial: Trial) -> Ramps | None:
    """Return what undoes the transform of the target."""
    return None if trial.recipe.target is None else trial.recipe.target.curve()
