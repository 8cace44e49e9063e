"""What the fitted libraries answered in training, and the blend of it, by numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import Features, FloatMatrix
from drivetrain.graph.program import BLEND, CALIBRATED, Member, Program, target_of
from drivetrain.graph.run import run_blocks
from drivetrain.graph.used import Kept
from drivetrain.stats.mixture import mixture


@dataclass(frozen=True)
class MemberAnswers:
    """What a member's library answered in training.

    Attributes
    ----------
    X
        Features, float32 (m, k): the held-out rows, then the adversarial rows, then any others.
    margins
        The library's own margins of ``X`` by each fold's model, float64 (m, t).
    edges
        For each fold, rows beside its own thresholds, float32 (q, k), and the library's margins
        of them, float64 (q, t); empty if there are none.
    """

    X: Features
    margins: tuple[FloatMatrix, ...]
    edges: tuple[tuple[Features, FloatMatrix], ...] = ()

    def of_features(self, kept: Kept) -> MemberAnswers:
        """Return the same with only those features that a graph makes."""
        edges = tuple((kept.of(rows), margin) for rows, margin in self.edges)
        return replace(self, X=kept.of(self.X), edges=edges)

    def of_fold(self, number: int) -> tuple[Features, FloatMatrix]:
        """Return all rows that a fold's model is compared on, those beside thresholds last."""
        if not self.edges:
            return self.X, self.margins[number]
        rows, margin = self.edges[number]
        return np.concatenate([self.X, rows]), np.concatenate([self.margins[number], margin])

    def is_complete(self, folds: int, rows: int) -> bool:
        """Whether there are answers of every fold to at least ``rows`` rows."""
        return (
            len(self.X) >= rows > 0
            and len(self.margins) == folds
            and len(self.edges) in (0, folds)
            and all(margin.ndim == 2 and len(margin) == len(self.X) for margin in self.margins)
        )


def blend_of(program: Program, answers: Mapping[str, MemberAnswers], rows: int) -> FloatMatrix:
    """Return what the graph must answer to the first rows, by numpy from the libraries' margins.

    Regression: values (rows, 1). Classification: probabilities (rows, K), float64.
    """
    blend = weighted(program, answers, slice(0, rows))
    if program.calibration:
        blend = run_blocks(program.calibration, {}, [CALIBRATED], {BLEND: blend})[CALIBRATED]
    task = target_of(program).task
    if task == "binary":
        return np.concatenate([1.0 - blend, blend], axis=1)
    if task == "multiclass":
        return np.asarray(blend / blend.sum(axis=1, keepdims=True))
    return blend


def weighted(program: Program, answers: Mapping[str, MemberAnswers], rows: slice) -> FloatMatrix:
    """Return the weighted sum of the members' probabilities or predictions, (rows, t)."""
    parts = []
    for member in program.members:
        margin = np.mean([each[rows] for each in answers[member.name].margins], axis=0)
        parts.append((answer_of(member, margin), member.weight))
    return mixture(parts)


def answer_of(member: Member, margin: FloatMatrix) -> FloatMatrix:
    """Return a member's probabilities or predictions from its margins, float64 (m, t)."""
    return link_of(member.link, margin) if member.curve is None else member.curve.at(margin)


def link_of(link: str, margin: FloatMatrix) -> FloatMatrix:
    """Return probabilities or predictions from margins, float64 (m, t)."""
    with np.errstate(over="ignore"):
        if link == "sigmoid":
            return 1.0 / (1.0 + np.exp(-margin))
        if link == "softmax":
            power = np.exp(margin - margin.max(axis=1, keepdims=True))
            return np.asarray(power / power.sum(axis=1, keepdims=True))
    return margin
