"""What a bundle's reference is made of: rows, and answers of models that have not seen them.

Models that ship as they were judged have the holdout, and how probabilities read is learned from
the search's out-of-fold answers too. Models that were fitted again on every row have no row left
but those of each other's folds: all rows, answered out of fold. Where most of the blend has no
folds, as forests of all rows have none, what was judged stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector, IndexVector, Mask
from drivetrain.core.contract import Target
from drivetrain.graph.program import Program
from drivetrain.lifecycle.training.answers import calibrated
from drivetrain.lifecycle.training.model import Chosen, FittedModel
from drivetrain.lifecycle.training.prove import Proved
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.monitor.reference import LossGain, make_reference
from drivetrain.monitor.scores import AnsweredOutOfFold
from drivetrain.runtime.model import Model

LEAST_WEIGHT = 0.5  # of the blend, in members that have answered out of fold


@dataclass(frozen=True)
class _Mixed:
    """The out-of-fold answers of some members, on the blended scale, of the rows that have them."""

    rows: Mask
    prediction: FloatMatrix  # (rows, t)

    def probabilities(self, program: Program) -> FloatMatrix:
        """Return what the program's calibration makes of them, (rows, K)."""
        return calibrated(self.prediction, program.calibration, program.head.target.task)


def sketch_reference(
    rows: Rows, searched: FittedModel, judged: Proved, shipping: Proved, model: Model
) -> bytes:
    """Make ``reference.json``.

    Parameters
    ----------
    searched
        What the search chose, with its out-of-fold answers to training rows.
    judged, shipping
        The models that have not seen the holdout, and those of the bundle; often the same.
    model
        The graph of ``judged``.
    """
    target = rows.target
    if judged is not shipping:
        members = _on_folds(shipping, rows)
        if sum(member.weight for member in members) >= LEAST_WEIGHT:
            return _of_every_row(rows, members, judged, shipping.fitted.program)
    more = None
    if target.task != "regression":
        mixed = _mix(searched.members)
        said = mixed.probabilities(searched.program)
        labels = searched.program.head.label_numbers(said)[0]
        more = AnsweredOutOfFold(said, rows.training.y[mixed.rows], labels)
    columns = rows.holdout.columns
    return make_reference(
        rows.contract, columns, model.run(columns), rows.holdout.y, out_of_fold=more
    )


def _of_every_row(rows: Rows, members: list[Chosen], judged: Proved, program: Program) -> bytes:
    mixed = _mix(members)
    every, target = rows.every, rows.target
    gain = None
    if target.task == "regression":
        outputs: dict[str, Array] = {"prediction": mixed.prediction[:, 0]}
        gain = _gain(_on_folds(judged, rows), rows.holdout.y)
    else:
        probabilities = mixed.probabilities(program)
        outputs = {
            "prediction": _labels(target, program.head.label_numbers(probabilities)[0]),
            "probabilities": probabilities.astype(np.float32),
        }
    columns = {name: values[mixed.rows] for name, values in every.columns.items()}
    return make_reference(rows.contract, columns, outputs, every.y[mixed.rows], gain=gain)


def _on_folds(proved: Proved, rows: Rows) -> list[Chosen]:
    """Return the members that were fitted on several folds; in order of time there are none."""
    if rows.every_fold.kind == "time":
        return []
    return [member for member in proved.fitted.members if len(member.trial.folds) > 1]


def _mix(members: list[Chosen] | tuple[Chosen, ...]) -> _Mixed:
    judged: Mask = np.logical_and.reduce([member.trial.judged() for member in members])
    parts = [member.trial.prediction[judged] * share for member, share in _shares(members)]
    return _Mixed(judged, np.sum(parts, axis=0))


def _shares(members: list[Chosen] | tuple[Chosen, ...]) -> list[tuple[Chosen, float]]:
    total = sum(member.weight for member in members)
    return [(member, member.weight / total) for member in members]


def _gain(members: list[Chosen], y: FloatVector) -> LossGain | None:
    """Return how much less all folds err together than one alone, on held-out rows.

    Out of fold one model answers, in production the mean of all of them.
    """
    count = min((len(member.trial.folds) for member in members), default=0)
    if not count:
        return None
    single = [np.zeros(0)] * count
    for fold in range(count):
        single[fold] = np.sum(
            [share * _answers(member, fold, len(y)) for member, share in _shares(members)], axis=0
        )
    y = y[: len(single[0])]
    whole = np.mean(single, axis=0)
    absolute = float(np.mean([np.abs(y - one).mean() for one in single]))
    squared = float(np.mean([((y - one) ** 2).mean() for one in single]))
    if not absolute or not squared:
        return None
    return LossGain(
        absolute=float(np.abs(y - whole).mean()) / absolute,
        squared=float(((y - whole) ** 2).mean()) / squared,
    )


def _answers(member: Chosen, fold: int, rows: int) -> FloatVector:
    """Return what one fold's model answers to the first proof rows, which are the holdout."""
    margin = np.asarray(member.trial.folds[fold].proof_margin()[:rows])
    answers: FloatVector = member.trial.answer(margin)[:, 0]
    return answers


def _labels(target: Target, numbers: IndexVector) -> Array:
    if target.label_type == "int":
        return np.array([int(name) for name in target.classes], dtype=np.int64)[numbers]
    return np.array(target.classes, dtype=object)[numbers]
