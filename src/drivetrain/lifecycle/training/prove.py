"""The third stage of ``train``: nothing is written unless graph and libraries agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import Columns
from drivetrain.core.manifest import Proof
from drivetrain.evaluate.adversarial import adversarial_columns
from drivetrain.evaluate.library_answers import MemberAnswers
from drivetrain.evaluate.parity import prove
from drivetrain.graph.program import lower_with_places
from drivetrain.lifecycle.training.model import FittedModel
from drivetrain.lifecycle.training.rows import Rows

MOST_ROWS = 50_000  # of the holdout


@dataclass(frozen=True)
class ProofRows:
    """Typed columns of the rows that parity compares."""

    held_out: Columns
    adversarial: Columns

    def together(self) -> Columns:
        """The held-out rows, then the adversarial ones."""
        return {
            name: np.concatenate([values, self.adversarial[name]])
            for name, values in self.held_out.items()
        }


@dataclass(frozen=True)
class Proved:
    """A model, its graph, and the proof that they are the same."""

    fitted: FittedModel
    graph: bytes
    proof: Proof


def choose_proof_rows(rows: Rows, seed: int) -> ProofRows:
    """Take the holdout, and make adversarial rows from it."""
    held_out = {name: values[:MOST_ROWS] for name, values in rows.holdout.columns.items()}
    return ProofRows(held_out, adversarial_columns(rows.contract, held_out, seed=seed))


def prove_model(
    rows: Rows, fitted: FittedModel, proof: ProofRows, *, most_rows: int | None = None
) -> Proved:
    """Lower the model, and compare the graph with what the libraries answered when fitted.

    Parameters
    ----------
    most_rows
        Of the held-out rows, and as many of the adversarial ones, by which the whole graph is
        compared, not its parts; None for all of both, and every part.

    Raises
    ------
    ParityError
        If they differ beyond tolerance.
    """
    held_out, adversarial = _first(proof.held_out, most_rows), _first(proof.adversarial, most_rows)
    before = _rows(proof.held_out)
    taken = np.r_[: _rows(held_out), before : before + _rows(adversarial)]
    answers = {
        member.trial.key: MemberAnswers(
            X=member.proof_matrix[taken],
            margins=tuple(np.asarray(fold.proof_margin())[taken] for fold in member.trial.folds),
            edges=tuple(
                (np.asarray(fold.threshold_rows()), np.asarray(fold.threshold_margin()))
                for fold in member.trial.folds
            ),
        )
        for member in fitted.members
    }
    deviation = float(np.std(rows.training.y)) or 1.0
    lowered = lower_with_places(fitted.program)
    found = prove(
        fitted.program, lowered.model, answers, held_out, adversarial,
        scale=deviation, lowered=lowered, in_parts=most_rows is None,
    )  # fmt: skip
    return Proved(fitted, lowered.model, found)


def _first(columns: Columns, most: int | None) -> Columns:
    return {name: values[:most] for name, values in columns.items()}


def _rows(columns: Columns) -> int:
    return min((len(values) for values in columns.values()), default=0)
