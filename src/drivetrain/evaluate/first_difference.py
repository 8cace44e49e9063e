"""Where in the graph a row's answer first leaves that of the libraries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drivetrain.core.arrays import Columns
from drivetrain.core.manifest import PROBABILITIES
from drivetrain.evaluate.differences import TOLERANCE, relative
from drivetrain.evaluate.library_answers import MemberAnswers, answer_of, weighted
from drivetrain.evaluate.suspect import read_wires
from drivetrain.graph.program import Lowered, Program


def first_difference(
    program: Program,
    lowered: Lowered,
    model: bytes,
    answers: Mapping[str, MemberAnswers],
    one: Columns,
    row: int,
    scale: float,
) -> str:
    """Return the name of the first wire that differs: a member's, the blend's, or what follows.

    Parameters
    ----------
    one, row
        Typed columns of one row, and its number among the answers.
    scale
        Differences are relative to the larger of it and the value.
    """
    wires = [lowered.blend]
    for places in lowered.members.values():
        wires += [places.margin, places.probability]
    found = read_wires(model, wires, one)
    for member in program.members:
        places, answer = lowered.members[member.name], answers[member.name]
        margin = np.mean([each[row : row + 1] for each in answer.margins], axis=0)
        probability = answer_of(member, margin)
        for wire, right in ((places.margin, margin), (places.probability, probability)):
            if wire in found and np.any(relative(found[wire], right, scale) > TOLERANCE):
                return wire
    blend = weighted(program, answers, slice(row, row + 1))
    if lowered.blend in found:
        if np.any(relative(found[lowered.blend], blend, scale) > TOLERANCE):
            return lowered.blend
        return "calibration" if program.calibration else PROBABILITIES
    return "blend"
