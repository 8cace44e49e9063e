"""A classification's probabilities in the reference: how they read as chances, and their counts."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Target
from drivetrain.monitor.calibrate import CalibrationMap, Observed, calibrate
from drivetrain.monitor.losses import short
from drivetrain.monitor.subjects import class_numbers, watched_classes
from drivetrain.stats.calibration import ReliabilityBin, reliability
from drivetrain.stats.score_sketch import count_scores

TOP = "top"  # the event that the predicted label is right
MOST_ROWS = 50_000  # out of fold: more of them say no more


class ScoreReference(msgspec.Struct, frozen=True, kw_only=True):
    """One class's probabilities: how they read as chances, and what was observed, binned."""

    calibration: CalibrationMap
    counts: tuple[tuple[int, int], ...]  # (cell, rows), the cell as in stats.score_sketch
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class AnsweredOutOfFold:
    """Answers to training rows by models that have not seen them.

    ``probabilities`` are (n, K), ``y`` the class numbers and ``predicted`` those of the labels,
    which costs may set apart from the most probable class.
    """

    probabilities: FloatMatrix
    y: FloatVector
    predicted: IndexVector

    def at_most(self, rows: int) -> AnsweredOutOfFold:
        """Return so many of the rows, from all over."""
        if len(self.y) <= rows:
            return self
        chosen = np.linspace(0, len(self.y) - 1, rows).astype(np.int64)
        return AnsweredOutOfFold(self.probabilities[chosen], self.y[chosen], self.predicted[chosen])

    def of_class(self, k: int) -> Observed:
        """Return the event that a row is of class ``k``."""
        return Observed((self.y == k).astype(np.float64), self.probabilities[:, k])

    def of_labels(self) -> Observed:
        """Return the event that the predicted label is right."""
        event = (self.y == self.predicted).astype(np.float64)
        return Observed(event, self.probabilities[np.arange(len(self.y)), self.predicted])


def reference_scores(
    target: Target, outputs: dict[str, Array], y: FloatVector, more: AnsweredOutOfFold | None
) -> dict[str, ScoreReference]:
    """Return what is kept of each watched class, and of the predicted label being right.

    Counts are of the held-out rows, which the shipped graph answered; calibrations are of the rows
    ``more`` too.
    """
    probabilities = np.asarray(outputs["probabilities"]).astype(np.float64)
    predicted = class_numbers(target, outputs["prediction"])
    more = None if more is None else more.at_most(MOST_ROWS)
    scores = {}
    for k in watched_classes(target):
        held_out = Observed((y == k).astype(np.float64), probabilities[:, k])
        other = None if more is None else more.of_class(k)
        scores[target.classes[k]] = _score(held_out, predicted == k, other)
    if len(target.classes) > 2:
        confidence = probabilities[np.arange(len(y)), predicted]
        held_out = Observed((y == predicted).astype(np.float64), confidence)
        other = None if more is None else more.of_labels()
        scores[TOP] = _score(held_out, np.ones(len(y), dtype=bool), other)
    return scores


def _score(held_out: Observed, is_predicted: Array, more: Observed | None) -> ScoreReference:
    counts = count_scores(held_out.probability, is_predicted).ravel()
    filled = np.flatnonzero(counts)
    return ScoreReference(
        calibration=calibrate(held_out, more),
        counts=tuple((int(cell), int(counts[cell])) for cell in filled),
        reliability=short_table(reliability(held_out.event, held_out.probability, bins=20)),
    )


def short_table(table: tuple[ReliabilityBin, ...]) -> tuple[ReliabilityBin, ...]:
    """Round a table of reliability to what is known."""
    shortened = []
    for part in table:
        plain = msgspec.structs.asdict(part)
        rounded = {name: short([plain[name]])[0] for name in plain if name != "rows"}
        shortened.append(msgspec.structs.replace(part, **rounded))
    return tuple(shortened)
