"""The proof: graph and fitted thing answer alike, or nothing is written.

The fitted thing's own answers, the libraries' margins, are recorded while it still lives, in
training. :func:`prove` compares, from the cells to the labels:

1. the encoders' blocks, and the features within the graph, against those that the libraries
   saw, bit for bit;
2. each member: each fold's blocks, and the folds merged into one, against the margins;
3. the whole graph against the blend of the libraries' margins, computed here by numpy;
4. the whole graph on one row against the same row in a batch, bit for bit.

The first difference beyond tolerance raises :class:`ParityError`, which names node, column and
worst row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from drivetrain.core.arrays import Array, Columns, Features, FloatMatrix
from drivetrain.core.contract import Target
from drivetrain.core.errors import ParityError
from drivetrain.core.manifest import PREDICTION, PROBABILITIES, Proof
from drivetrain.evaluate.differences import TOLERANCE, as_texts, off_by, relative, same_bits, shown
from drivetrain.evaluate.first_difference import first_difference
from drivetrain.evaluate.library_answers import MemberAnswers, blend_of
from drivetrain.evaluate.rows_alone import REMEDY, ComparedRows, check_rows_alone
from drivetrain.evaluate.suspect import (
    feature_columns,
    read_wires,
    run_model,
    suspect_feature,
)
from drivetrain.graph.archive import content
from drivetrain.graph.block import Block
from drivetrain.graph.head import Expected
from drivetrain.graph.program import (
    FEATURES,
    MARGIN,
    MATRIX,
    Lowered,
    Member,
    Program,
    lower_with_places,
    merged,
    target_of,
    without_unused,
)
from drivetrain.graph.run import open_session, run_apart, run_blocks


def prove(
    program: Program,
    model: bytes,
    answers: Mapping[str, MemberAnswers],
    held_out: Columns,
    adversarial: Columns,
    *,
    scale: float = 1.0,
    lowered: Lowered | None = None,
    in_parts: bool = True,
) -> Proof:
    """Compare a graph with the fitted thing it claims to be.

    Parameters
    ----------
    program
        What was lowered.
    model
        The bytes of ``model.onnx``.
    answers
        The libraries' own answers, by name of the member.
    held_out, adversarial
        Typed columns, at least one row together.
    scale
        Of a regression: the target's standard deviation, > 0. Differences are relative to the
        larger of it and the value.
    lowered
        What lowering the program gave, where that is at hand: it takes seconds for a wide one.
    in_parts
        Whether encoders, features and members are compared by themselves, too, each fold's model
        beside its own thresholds; the whole graph is compared in any case.

    Raises
    ------
    ParityError
        At the first difference beyond tolerance.
    """
    columns = {
        name: np.concatenate([held_out[name], adversarial[name]]) for name in program.contract.names
    }
    is_regression = target_of(program).task == "regression"
    proving = _Proving(
        program, model, answers, ComparedRows(columns, _rows(held_out)),
        scale if is_regression else 1.0, lowered,
    )  # fmt: skip
    proving.check_shapes()
    proving = proving.of_used_features()
    node_diffs = {}
    if in_parts:
        proving.check_encoders()
        proving.check_matrices()
        members = proving.program.members
        node_diffs = {member.name: proving.check_member(member) for member in members}
    largest, flips = proving.check_whole()
    check_rows_alone(program, model, proving.compared, proving.scale)
    return Proof(
        rows=_rows(held_out),
        adversarial_rows=_rows(adversarial),
        max_abs_diff=largest,
        tolerance=TOLERANCE,
        label_flips=flips,
        node_diffs=node_diffs,
    )


@dataclass
class _Proving:
    program: Program
    model: bytes
    answers: Mapping[str, MemberAnswers]
    compared: ComparedRows
    scale: float
    known: Lowered | None

    @cached_property
    def lowered(self) -> Lowered:
        """The program's graph and the names of its parts."""
        return self.known or lower_with_places(self.program)

    def of_used_features(self) -> _Proving:
        """Return the same of the features that models read: the graph makes no others.

        The libraries' margins are of all features, so they tell if one left out was read.
        """
        program, kept = without_unused(self.program)
        answers = {name: self.answers[name].of_features(each) for name, each in kept.items()}
        return replace(self, program=program, answers=answers)

    def check_shapes(self) -> None:
        for member in self.program.members:
            answer, folds = self.answers.get(member.name), len(member.folds)
            if answer is None or not answer.is_complete(folds, self.compared.rows):
                raise ParityError(
                    where=f"member '{member.name}'",
                    expected=f"its library's answers to {self.compared.rows} rows by {folds} folds",
                    got="none" if answer is None else f"{[m.shape for m in answer.margins]}",
                    remedy="Record them in training.",
                    code="DT115",
                )

    def check_encoders(self) -> None:
        """Compare the encoders' blocks with the features that the libraries saw."""
        keys = [[content(blocks) for blocks in one.encoders] for one in self.program.members]
        distinct = {
            key: blocks
            for member, named in zip(self.program.members, keys, strict=True)
            for key, blocks in zip(named, member.encoders, strict=True)
        }
        made = run_apart(list(distinct.values()), self.compared.columns, FEATURES)
        made_by: dict[bytes, Features] = dict(zip(distinct, made, strict=True))
        for member, named in zip(self.program.members, keys, strict=True):
            matrix = np.concatenate([made_by[key] for key in named], axis=1)
            seen = self.answers[member.name].X[: self.compared.rows]
            self._compare_features(member, matrix, seen, f"{member.name}/encoders")

    def check_matrices(self) -> None:
        """Compare the features within the graph, where they are lowered together, likewise."""
        members = self.lowered.members
        wires = [places.matrix for places in members.values()]
        found = read_wires(self.model, wires, self.compared.columns)
        for member in self.program.members:
            wire, seen = (
                members[member.name].matrix,
                self.answers[member.name].X[: self.compared.rows],
            )
            if wire not in found:
                raise self._differs(
                    f"member '{member.name}'", f"node '{wire}'", "no such node", "DT113"
                )
            self._compare_features(member, found[wire], seen, wire)

    def _compare_features(self, member: Member, made: Features, seen: Features, node: str) -> None:
        if made.shape != seen.shape:
            raise ParityError(
                where=f"member '{member.name}', node '{node}'",
                expected=f"features of shape {seen.shape}",
                got=f"{made.shape}",
                remedy=REMEDY,
                code="DT111",
            )
        is_equal = same_bits(made, seen)
        if is_equal.all():
            return
        row, feature = np.argwhere(~is_equal)[0].tolist()
        column = feature_columns(member, self.compared.columns)[feature]
        raise ParityError(
            where=f"member '{member.name}', node '{node}', column '{column}', "
            f"feature {feature}, {self.compared.name(row)}",
            expected=f"{float(seen[row, feature])!r}",
            got=f"{float(made[row, feature])!r}",
            remedy=REMEDY,
            code="DT111",
        )

    def check_member(self, member: Member) -> float:
        """Compare a member's folds, apart and merged, with the library; return the difference."""
        answer = self.answers[member.name]
        largest = 0.0
        for number, fold in enumerate(member.folds):
            X, margin = answer.of_fold(number)
            node = f"{member.name}/fold{number}"
            largest = max(largest, self._compare_margin(member, fold, X, margin, node))
        block = merged(member.folds) if len(member.folds) > 1 else None
        if block is not None:
            mean = np.mean(answer.margins, axis=0)
            node = f"{member.name}/{type(block).__name__}"
            largest = max(largest, self._compare_margin(member, (block,), answer.X, mean, node))
        return largest

    def _compare_margin(
        self,
        member: Member,
        blocks: Sequence[Block],
        X: Features,
        margin: FloatMatrix,
        node: str,
    ) -> float:
        got = np.asarray(run_blocks(blocks, {}, [MARGIN], {MATRIX: X})[MARGIN], np.float64)
        expected = np.asarray(margin, np.float64).reshape(len(X), -1)
        if got.shape != expected.shape:
            raise self._differs(
                f"node '{node}'", f"margins of shape {expected.shape}", f"{got.shape}", "DT112"
            )
        difference = relative(got, expected, self.scale)
        if np.all(difference <= TOLERANCE):
            return float(difference.max(initial=0.0))
        worst, target = np.unravel_index(np.argmax(difference), difference.shape)
        off = np.where(difference[:, target] > TOLERANCE, got[:, target] - expected[:, target], 0.0)
        feature = suspect_feature(blocks, X, np.where(np.isfinite(off), off, np.inf))
        column = feature_columns(member, self.compared.columns)[feature]
        row = self.compared.name(int(worst))
        raise self._differs(
            f"node '{node}', column '{column}', feature {feature}, {row}",
            f"the library's margin {shown(expected[worst])} within {TOLERANCE:g}",
            shown(got[worst]),
            "DT112",
        )

    def _differs(self, where: str, expected: str, got: str, code: str) -> ParityError:
        return ParityError(where=where, expected=expected, got=got, remedy=REMEDY, code=code)

    def check_whole(self) -> tuple[float, int]:
        """Compare the graph with the blend; return the largest difference and the label flips."""
        expected = blend_of(self.program, self.answers, self.compared.rows)
        outputs = run_model(open_session(self.model), self.compared.columns)
        if self.target.task == "regression":
            got = outputs[PREDICTION][:, None]
            difference = relative(got, expected, self.scale).max(axis=1)
        else:
            got = outputs[PROBABILITIES].astype(np.float64)
            difference = np.abs(got - expected)
            difference = np.where(np.isnan(difference), np.inf, difference).max(axis=1)
        if np.any(difference > TOLERANCE):
            raise self._whole_differs(int(np.argmax(difference)), expected, got)
        flips = 0
        if self.target.task != "regression":
            flips = self._check_labels(expected, outputs[PREDICTION])
        for extra in self.program.extras:
            for name, right in extra.expected(expected, self.compared.columns).items():
                self._check_extra(name, right, outputs[name])
        return float(difference.max(initial=0.0)), flips

    def _check_extra(self, name: str, right: Expected, got: Array) -> None:
        """Compare an output that was asked for; a flag may differ where it turns, not further."""
        if right.values.shape != got.shape:
            shape = f"shape {right.values.shape}"
            raise self._differs(f"node '{name}'", shape, f"{got.shape}", "DT113")
        wide = off_by(right, got, self.scale)
        if np.all(wide <= TOLERANCE):
            return
        worst = int(np.argmax(wide))
        raise self._differs(
            f"node '{name}', {self._with_cell(worst)}",
            shown(right.values[worst].ravel()),
            shown(got[worst].ravel()),
            "DT113",
        )

    @property
    def target(self) -> Target:
        return target_of(self.program)

    def _check_labels(self, expected: FloatMatrix, labels: Array) -> int:
        """Return how many labels differ at the decision boundary; refuse one that lies further."""
        classes = np.array(self.target.classes, dtype=object)
        number, distance = self.program.head.label_numbers(expected)
        is_other = as_texts(labels, self.target) != classes[number]
        far = np.flatnonzero(is_other & (distance > TOLERANCE))
        if len(far):
            worst = int(far[np.argmax(distance[far])])
            raise self._differs(
                f"node '{PREDICTION}', {self._with_cell(worst)}",
                f"the label '{classes[number[worst]]}'",
                f"'{labels[worst]}'",
                "DT113",
            )
        return 0

    def _with_cell(self, row: int) -> str:
        column = self.compared.oddest_column(row)
        return f"{self.compared.name(row)}, oddest cell in column '{column}'"

    def _whole_differs(self, row: int, expected: FloatMatrix, got: FloatMatrix) -> ParityError:
        """Follow the worst row through the graph and name the first part that differs."""
        one = {name: array[row : row + 1] for name, array in self.compared.columns.items()}
        node = first_difference(
            self.program, self.lowered, self.model, self.answers, one, row, self.scale
        )
        return self._differs(
            f"node '{node}', {self._with_cell(row)}",
            f"{shown(expected[row])} within {TOLERANCE:g}",
            shown(got[row]),
            "DT113",
        )


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values()))) if columns else 0
