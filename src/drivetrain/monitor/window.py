"""Sketch of a window: what one stretch of the prediction log looked like, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from drivetrain.core.arrays import Array, Columns, IndexVector
from drivetrain.core.contract import Contract, Target
from drivetrain.core.errors import InternalError
from drivetrain.monitor.joint import standardised
from drivetrain.monitor.reference import Reference, SubjectReference
from drivetrain.monitor.scores import TOP
from drivetrain.monitor.subjects import answers, class_numbers, measured, sketch, watched_classes
from drivetrain.stats.joint_sketch import JointSketch, empty_joint, sketch_joint
from drivetrain.stats.score_sketch import count_scores
from drivetrain.stats.sketch import ColumnSketch, merge_sketches


@dataclass(frozen=True)
class WindowSketch:
    """Counts over some rows; two merge into that of the rows of both.

    A column that the log does not hold is absent from ``columns``. ``scores`` are counts (2, cells)
    by class.
    """

    rows: int
    columns: Mapping[str, ColumnSketch] = field(default_factory=dict)
    outputs: Mapping[str, ColumnSketch] = field(default_factory=dict)
    target: ColumnSketch | None = None
    scores: Mapping[str, IndexVector] = field(default_factory=dict)
    joint: JointSketch = field(default_factory=lambda: empty_joint(0))

    def with_target(self, target: ColumnSketch) -> WindowSketch:
        """Return the same with a sketch of the labels that came."""
        return replace(self, target=target)

    def merged(self, other: WindowSketch) -> WindowSketch:
        """Return the sketch of the rows of both.

        A column is kept where both have it: half a window would be compared as if it were whole.
        """
        if not self.rows or not other.rows:
            return self if self.rows else other
        target = self.target or other.target
        if self.target is not None and other.target is not None:
            target = merge_sketches(self.target, other.target)
        return WindowSketch(
            rows=self.rows + other.rows,
            columns=_merged(self.columns, other.columns),
            outputs=_merged(self.outputs, other.outputs),
            target=target,
            scores={k: self.scores[k] + other.scores[k] for k in self.scores},
            joint=_merged_joint(self.joint, other.joint),
        )


def _merged(
    first: Mapping[str, ColumnSketch], second: Mapping[str, ColumnSketch]
) -> dict[str, ColumnSketch]:
    return {name: merge_sketches(first[name], second[name]) for name in first if name in second}


def _merged_joint(first: JointSketch, second: JointSketch) -> JointSketch:
    if len(first.total) != len(second.total):
        return empty_joint(0)
    return first.merged(second)


class Sketcher:
    """Sketches rows over the bins of one reference."""

    def __init__(self, contract: Contract, reference: Reference) -> None:
        if contract.target is None:
            raise InternalError(
                where="Contract", expected="a target", got="none", remedy="Report it.", code="DT702"
            )
        self._target: Target = contract.target
        self._reference = reference
        self._kinds = {column.name: column.kind for column in contract.columns}
        self._known = {
            column.name: frozenset(column.categories)
            for column in contract.columns
            if column.categories is not None
        }
        self._known |= {"prediction": frozenset(self._target.classes)}
        self._typical = {s.name: np.array(s.typical) for s in reference.columns}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that the reference holds."""
        return tuple(subject.name for subject in self._reference.columns)

    def sketch(self, columns: Columns, outputs: dict[str, Array]) -> WindowSketch:
        """Sketch some rows.

        Parameters
        ----------
        columns
            Typed columns, each (n,); a column may be absent.
        outputs
            As :meth:`drivetrain.runtime.model.Model.run` returns them.
        """
        rows = len(outputs["prediction"])
        if not rows:
            return WindowSketch(rows=0)
        sketches, places = {}, {}
        for subject in self._reference.columns:
            if subject.name in columns:
                values = measured(self._kinds[subject.name], columns[subject.name])
                sketches[subject.name], places[subject.name] = self._one(subject, values)
        watched = answers(self._target, outputs)
        return WindowSketch(
            rows=rows,
            columns=sketches,
            outputs={s.name: self._one(s, watched[s.name])[0] for s in self._reference.outputs},
            scores=self._scores(outputs),
            joint=self._joint(places),
        )

    def sketch_target(self, y: Array) -> ColumnSketch:
        """Sketch labels that came, class numbers or values, shape (n,)."""
        subject = self._reference.target
        if self._target.task == "regression":
            return sketch(subject.bins, y)[0]
        names = np.array(self._target.classes, dtype=object)
        return sketch(subject.bins, names[y.astype(np.int64)])[0]

    def _one(self, subject: SubjectReference, values: Array) -> tuple[ColumnSketch, IndexVector]:
        return sketch(subject.bins, values, self._known.get(subject.name))

    def _scores(self, outputs: dict[str, Array]) -> dict[str, IndexVector]:
        if self._target.task == "regression":
            return {}
        probabilities = np.asarray(outputs["probabilities"])
        predicted = class_numbers(self._target, outputs["prediction"])
        counted = {
            self._target.classes[k]: count_scores(probabilities[:, k], predicted == k)
            for k in watched_classes(self._target)
        }
        if TOP in self._reference.scores:
            top = probabilities[np.arange(len(predicted)), predicted]
            counted[TOP] = count_scores(top, np.ones(len(top), dtype=bool))
        return counted

    def _joint(self, places: Mapping[str, IndexVector]) -> JointSketch:
        names = self._reference.joint.columns
        if not names or any(name not in places for name in names):
            return empty_joint(0)
        return sketch_joint(standardised(self._typical, places, names))
