"""Students: small models that learn from the full ensemble beside the labels.

What the ensemble says of a row is out of fold, by models that know the labels of all other rows:
also of those that judge a student which learns from it. So no out-of-fold answer of a student is
honest. The ensemble's are taken in their place, and what the student lacks is told by how far it
is from the ensemble on rows that both have not seen (decision 0080).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from drivetrain.core.arrays import FloatMatrix
from drivetrain.core.errors import SettingError
from drivetrain.core.findings import Decision
from drivetrain.core.manifest import canonical_json
from drivetrain.lifecycle.training.mix import Pool
from drivetrain.lifecycle.training.model import Teacher
from drivetrain.lifecycle.training.stages import Run
from drivetrain.search.blend import best_blend
from drivetrain.search.blend_table import Blend
from drivetrain.search.budget import Window
from drivetrain.search.fold_means import Answers
from drivetrain.search.portfolio import FIRST, Draft
from drivetrain.search.run import search
from drivetrain.search.shrink import Proposal
from drivetrain.search.trial import Trial

SHARE = 0.5  # of the seconds kept for smaller models
ROUNDS, LEAVES, RATE = 300, 31, 0.1
SLOWER = 1.5  # a round, of rows that are more for having several labels
LEAST_ROUNDS = 100.0  # of fewer, what is around them takes the time


def teacher_of(pool: Pool, full: Proposal) -> Teacher:
    """Let the full ensemble tell of every row what it thinks."""
    judged = pool.trials[0].judged()
    mixed = pool.mean(full.weights)
    training = np.full((len(judged), mixed.shape[1]), np.nan)
    training[judged] = mixed
    holdout = full_answers(pool, full.weights)
    digest = hashlib.sha256(canonical_json([full.weights, full.folds])).hexdigest()[:12]
    return Teacher(digest, training, holdout)


def full_answers(pool: Pool, weights: Mapping[str, float]) -> FloatMatrix:
    """Return what a blend with all of its folds' models says of the held-out rows, (m, t)."""
    among = [trial for trial in pool.trials if trial.key in weights]
    rows = min(pool.run.rows.holdout.rows, len(next(iter(pool.run.proof.held_out.values()))))
    return Answers(among, weights, rows).of({t.key: len(pool.costs_ns[t.key]) for t in among})


def fit_student(pool: Pool, teacher: Teacher) -> Trial | None:
    """Fit a student on the folds; None where there is no time or no Recipe to vary, or none asked.

    The Recipe is that of the best trial of boosted trees, made small.
    """
    run = pool.run
    own = [trial for trial in pool.trials if trial.recipe.family == FIRST]
    if not own or run.settings.recipes != "search":  # asked for the same Recipes, no new ones
        return None
    best = max(own, key=lambda trial: run.metric.gain(trial.score))
    if not run.journal.choose("student", lambda: _needed_s(best, run) < SHARE * run.shrink_s):
        return None

    @cache
    def fitted() -> Trial | None:
        return _fit(pool, teacher, best)

    # A replay of a run whose time was too short for it does not begin it.
    done = run.journal.choose("student, done", lambda: fitted() is not None)
    return fitted() if done else None


def student_blends(pool: Pool, student: Trial) -> list[tuple[str, Blend, dict[str, int]]]:
    """Return a student as a blend of itself: with the models of all folds, and with one."""
    own = [one for one in pool.candidates if one.key == student.key]
    alone = best_blend(pool.table().among(own), most_ns=float("inf"))
    reason = (
        "It has learned from the full ensemble's answers beside the labels. By how much it errs "
        "more is told by its distance to them on held-out rows, without their labels."
    )
    decision = Decision(subject="blend", choice=f"'{student.key}', a student", reason=reason)
    blend = replace(alone, decision=decision)
    folds = len(pool.costs_ns[student.key])
    return [
        ("student", blend, {student.key: folds}),
        ("student, one model", blend, {student.key: 1}),
    ]


def _needed_s(best: Trial, run: Run) -> float:
    rounds = float(np.mean(best.details["rounds"]))
    return SLOWER * best.seconds * ROUNDS / max(rounds, LEAST_ROUNDS) / max(run.staff.workers, 1)


def _fit(pool: Pool, teacher: Teacher, best: Trial) -> Trial | None:
    run, own = pool.run, best.recipe.parameters
    pool.tried.study.add_teacher(teacher.name, teacher.training)
    parameters = {
        **own,
        "rounds": ROUNDS,
        "learning_rate": max(RATE, own.get("learning_rate", RATE)),
        "num_leaves": min(LEAVES, own.get("num_leaves", LEAVES)),
    }
    draft = replace(Draft.again(best.recipe, parameters=parameters), teacher=teacher.name)
    ends_s = run.budget.elapsed_s + SHARE * run.shrink_s
    try:
        trials = search(
            pool.tried.study, pool.tried.encodings, [draft],
            journal=run.journal, budget=run.budget, staff=run.staff, reporter=run.reporter,
            window=Window(ends_s, ends_s), name="student: trials",
        )  # fmt: skip
    except SettingError:  # the time limit: there was not enough for one model
        return None
    found = next((trial for trial in trials if len(trial.folds) == len(best.folds)), None)
    return None if found is None else replace(found, prediction=teacher.training)
