"""Between the search and the bundle: the chosen Recipes, fitted again on every row.

The score stays that of the models which did not see the holdout; what ships has seen it as well.
On few rows that is worth more than any other choice (docs/decisions/0019-fitted-on-every-row.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from drivetrain.core.errors import SettingError
from drivetrain.core.findings import Decision
from drivetrain.core.folds import Fold, Folds
from drivetrain.features.encoder import Target
from drivetrain.lifecycle.training.model import Chosen, FittedModel, members_of
from drivetrain.lifecycle.training.rows import Part, Rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.lifecycle.training.stages import Run
from drivetrain.search.budget import Budget
from drivetrain.search.encodings import Encodings, TrainingRows
from drivetrain.search.fit import BROUGHT_FILE, families_of
from drivetrain.search.portfolio import Draft
from drivetrain.search.run import search
from drivetrain.search.study import Problem, Study
from drivetrain.search.trial import Trial

MOST_ROWS = 20_000  # of training; on more, the holdout's few per cent bring little
SHARE = 0.3  # of the search's time, kept for this
SEED = 1_000_000  # added to a Recipe's seed: the trial on every row has a key of its own
SLOWER = 1.3  # than the first time: more rows, and other work beside it
SPARED = 0.3  # of the blend's weight that may be dropped where the time is short


@dataclass(frozen=True)
class _Stage:
    """Some of the members, all fitted on the same folds."""

    name: str
    rows: Part
    folds: Folds  # models are fitted on these, encoders on ``encoded``
    encoded: Folds
    members: tuple[Chosen, ...]
    once: bool  # on all rows, not on folds
    ships: bool  # or is judged only


def kept_s(rows: Rows, settings: TrainSettings, budget: Budget) -> float:
    """Seconds that the search leaves for :func:`renew`; 0 where it is not worth while."""
    if not settings.refit or rows.training.rows > MOST_ROWS:
        return 0.0
    window = budget.window()
    return SHARE * max(0.0, window.ends_s - budget.elapsed_s)


def renew(run: Run, fitted: FittedModel) -> tuple[FittedModel, FittedModel | None]:
    """Fit the chosen Recipes again on the rows of training and holdout together.

    Returns
    -------
    tuple
        The model to judge: the one given, or without members that there is no time to fit again;
        and the same on every row, or None where it is not worth while or the time was too short.
    """
    if not run.budget.kept_s:
        return fitted, None
    left_s = run.window.ends_s - run.budget.elapsed_s
    keys = run.journal.choose("every row", lambda: _affordable(fitted, left_s, run.staff.workers))
    if not keys:
        return fitted, None
    judged = _only(fitted, keys)
    run.reporter.say("search", f"fitting {len(keys)} chosen Recipes on every row")

    @cache
    def again() -> tuple[FittedModel, FittedModel] | None:
        return _fit_again(run, judged)

    # A replay of a run whose time was too short for it does not begin it.
    done = run.journal.choose("every row, done", lambda: again() is not None)
    return (again() if done else None) or (judged, None)


def _affordable(fitted: FittedModel, seconds: float, workers: int) -> list[str]:
    """Return the keys of the members that there is time to fit again.

    The dearest in time for its weight goes first. None is left if too much would have to go, or if
    one was not fitted on all folds the first time.
    """
    members = list(fitted.members)
    if any(not member.trial.is_complete or member.trial.recipe.sample for member in members):
        return []
    while _needed_s(members, workers) > seconds:
        members.remove(max(members, key=lambda one: one.trial.seconds / one.weight))
        if sum(member.weight for member in members) < 1.0 - SPARED:
            return []
    return [member.trial.key for member in members]


def _only(fitted: FittedModel, keys: Sequence[str]) -> FittedModel:
    """Return the model with these of its members."""
    members = [member for member in fitted.members if member.trial.key in keys]
    if len(members) == len(fitted.members):
        return fitted
    total = sum(member.weight for member in members)
    kept = tuple(replace(member, weight=member.weight / total) for member in members)
    return replace(fitted, program=members_of(fitted.program, kept), members=kept)


def _fit_again(run: Run, fitted: FittedModel) -> tuple[FittedModel, FittedModel] | None:
    """Fit the members' Recipes once more.

    A family that watches validation rows is fitted on as many folds as are served of it; one that
    does not is fitted once, on all rows of training to be judged, and once on every row to ship.
    After a split by time, only the fold that knows the most of the past is fitted.

    Returns
    -------
    tuple or None
        The blend to judge and the one to ship; None if the time was too short for a member.
    """
    judged = {member.trial.key: member for member in fitted.members}
    shipping = dict(judged)
    folder = run.journal.path.parent
    for part in _parts(run.rows, fitted, folder):
        study = _study(folder, part, run.rows, fitted)
        encodings = _encodings(study, part, run)
        # The dearest last: each may take half of what is left, the last one all of it.
        order = sorted(part.members, key=lambda member: member.trial.seconds)
        drafts = [_draft(member, part, folder) for member in order]
        try:
            trials = search(
                study, encodings, drafts,
                journal=run.journal, budget=run.budget, window=run.window, staff=run.staff,
                reporter=run.reporter, name=f"{part.name}: trials",
            )  # fmt: skip
        except SettingError:  # the time limit: there was not enough left for one model
            return None
        done = {trial.key: trial for trial in trials if trial.is_complete}
        for member, draft in zip(order, drafts, strict=True):
            trial = done.get(encodings.recipe(draft).key)
            if trial is None:
                return None
            one = _chosen(member, trial, study, encodings)
            (shipping if part.ships else judged)[member.trial.key] = one
    honest, every = tuple(judged.values()), tuple(shipping.values())
    told = (*fitted.decisions, _decision(run.rows))
    return (
        replace(fitted, program=members_of(fitted.program, honest), members=honest, decisions=told),
        replace(fitted, program=members_of(fitted.program, every), members=every, decisions=told),
    )


def _needed_s(members: list[Chosen], workers: int) -> float:
    return SLOWER * sum(member.trial.seconds for member in members) / max(workers, 1)


def _parts(rows: Rows, fitted: FittedModel, run: Path) -> list[_Stage]:
    """Divide the members into those that are fitted once, on all rows, and those on folds."""
    families = families_of(run)
    watching: list[Chosen] = []
    whole: list[Chosen] = []
    for member in fitted.members:
        once = getattr(families.load(member.trial.recipe.family), "on_all_rows", None)
        (watching if once is None else whole).append(member)
    last = rows.every_fold.for_models()
    if rows.every_fold.kind == "time":
        last = last[-1:]
    every, training = rows.every_fold, rows.folds
    found = [
        _Stage("training", rows.training, _one(training), training, tuple(whole), True, False),
        _Stage("every", rows.every, _one(every), every, tuple(whole), True, True),
    ]
    for models in sorted({len(member.trial.folds) for member in watching}):
        some = tuple(one for one in watching if len(one.trial.folds) == models)
        folds = replace(every, parts=last[:models])
        found.append(_Stage(f"folds-{models}", rows.every, folds, every, some, False, True))
    return [stage for stage in found if stage.members]


def _one(folds: Folds) -> Folds:
    """Return one fold that fits on all rows; what it judges is for the record only."""
    everything = Fold(fit=np.arange(folds.rows), judge=folds.for_models()[-1].judge)
    return replace(folds, parts=(everything,))


def _study(run: Path, part: _Stage, rows: Rows, fitted: FittedModel) -> Study:
    folder = run / "every-row" / part.name
    folder.mkdir(parents=True, exist_ok=True)
    if (run / BROUGHT_FILE).exists():
        shutil.copyfile(run / BROUGHT_FILE, folder / BROUGHT_FILE)
    problem = Problem(
        task=rows.target.task,
        classes=len(rows.target.classes),
        metric=fitted.metric.key,
        folds=len(part.folds.parts),
    )
    return Study.create(folder, problem, part.rows.y, part.rows.weight, part.folds)


def _encodings(study: Study, part: _Stage, run: Run) -> Encodings:
    target = run.rows.target
    training = TrainingRows(
        contract=run.rows.contract,
        columns=part.rows.columns,
        target=Target(part.rows.y, target.task, len(target.classes)),
        weight=part.rows.weight,
        folds=part.encoded,
    )
    proof = run.proof.together()
    return Encodings(study=study, rows=training, proof=proof, seed=run.settings.seed)


def _draft(member: Chosen, part: _Stage, run: Path) -> Draft:
    recipe = member.trial.recipe
    parameters: Mapping[str, Any] = recipe.parameters
    if part.once:
        family: Any = families_of(run).load(recipe.family)
        parameters = family.on_all_rows(parameters, part.rows.rows)
    return Draft.again(
        recipe, parameters=parameters, seed=recipe.seed + (SEED if part.ships else 2 * SEED)
    )


def _chosen(member: Chosen, trial: Trial, study: Study, encodings: Encodings) -> Chosen:
    return Chosen(
        trial=trial,
        encoders=tuple(encoder.blocks for encoder in encodings.features(trial.recipe).encoders),
        proof_matrix=np.asarray(study.proof_matrix(trial.recipe.matrix)),
        weight=member.weight,
    )


def _decision(rows: Rows) -> Decision:
    return Decision(
        subject="rows of the models that ship",
        choice=f"all {rows.every.rows:,}",
        reason=f"The score is that of the same Recipes fitted without the {rows.holdout.rows:,} "
        "rows of the holdout, which no choice has seen. The models that ship have learned from "
        "these rows too, so they should do a little better than it says.",
    )
