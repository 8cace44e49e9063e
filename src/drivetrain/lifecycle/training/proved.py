"""Which of two models there is time to prove: the one that is judged, and the same on every row."""

from __future__ import annotations

from dataclasses import replace

from drivetrain.core.findings import Decision
from drivetrain.lifecycle.training.model import FittedModel
from drivetrain.lifecycle.training.prove import Proved, prove_model
from drivetrain.lifecycle.training.stages import Run

AFTER = 0.5  # of a proof's time, left for loading, measuring and writing so large a graph
EVERY_ROW = "rows of the models that ship"  # subject of the Decision


def prove_both(run: Run, fitted: FittedModel, renewed: FittedModel | None) -> tuple[Proved, Proved]:
    """Prove the model that is judged, and the same fitted on every row, which ships.

    The second takes as long as the first. Where the run would end too late by that, the judged one
    ships: a bundle in time is better than one that knows a few more rows.

    Raises
    ------
    ParityError
        If a graph and its libraries differ.
    """
    began_s = run.budget.elapsed_s
    judged = prove_model(run.rows, fitted, run.proof)
    taken_s = run.budget.elapsed_s - began_s
    if renewed is None:
        return judged, judged
    if run.can_end("the proof of every row", (1.0 + AFTER) * taken_s):
        return judged, prove_model(run.rows, renewed, run.proof)
    kept = as_judged(run, judged, "there was no time left to prove them")
    return kept, kept


def as_judged(run: Run, judged: Proved, because: str) -> Proved:
    """Return the judged model as what ships, though it was fitted on every row as well."""
    others = (one for one in judged.fitted.decisions if one.subject != EVERY_ROW)
    why = f"The same models were fitted on every row as well, but {because}: those judged ship."
    kept = Decision(subject=EVERY_ROW, choice=f"{run.rows.training.rows:,}", reason=why)
    return replace(judged, fitted=replace(judged.fitted, decisions=(*others, kept)))
