"""Between the search and the bundle: the chosen Recipes, fitted again on every row.

The score stays that of the models which did not see the holdout; what ships has seen it as well.
On few rows that is worth more than any other choice (docs/decisions/0019-fitted-on-every-row.md).
"""

from __future__ import annotations

import math
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
from drivetrain.lifecycle.training.answers import with_answers
from drivetrain.lifecycle.training.model import Chosen, FittedModel, members_of
from drivetrain.lifecycle.training.proved import EVERY_ROW
from drivetrain.lifecycle.training.rows import Part, Rows
from drivetrain.lifecycle.training.settings import TrainSettings
from drivetrain.lifecycle.training.stages import Run
from drivetrain.models.family import Family
from drivetrain.search.budget import Budget, Window
from drivetrain.search.encodings import Encodings, TrainingRows
from drivetrain.search.fit import BROUGHT_FILE, families_of
from drivetrain.search.journal import TrialEntry, trial_entries
from drivetrain.search.portfolio import Draft
from drivetrain.search.run import search
from drivetrain.search.study import Problem, Study
from drivetrain.search.trial import Trial

MOST_ROWS = 50_000  # of training; on more, the few per cent of the holdout bring little
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

    @classmethod
    def on_all(
        cls, rows: Part, folds: Folds, models: int, members: tuple[Chosen, ...], *, ships: bool
    ) -> _Stage:
        """Fit so many models of each member, each on all rows and by another seed."""
        name = f"{'every' if ships else 'training'}-{models}"
        # What a model of all rows judges is for the record only.
        everything = Fold(fit=np.arange(folds.rows), judge=folds.for_models()[-1].judge)
        every = replace(folds, parts=(everything,) * models)
        return cls(name, rows, every, folds, members, once=True, ships=ships)


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
    keys = run.journal.choose("every row", lambda: _affordable(run, fitted, left_s))
    if not keys:
        return fitted, None
    judged = _only(run, fitted, keys)
    run.reporter.say("search", f"fitting {len(keys)} chosen Recipes on every row")

    @cache
    def again() -> tuple[FittedModel, FittedModel] | None:
        return _fit_again(run, judged)

    # A replay of a run whose time was too short for it does not begin it.
    done = run.journal.choose("every row, done", lambda: again() is not None)
    return (again() if done else None) or (judged, None)


def _affordable(run: Run, fitted: FittedModel, seconds: float) -> list[str]:
    """Return the keys of the members that there is time to fit again.

    The dearest in time for its weight goes first. None is left if too much would have to go, or if
    one was not fitted on all folds the first time.
    """
    members = list(fitted.members)
    if any(not member.trial.is_complete or member.trial.recipe.sample for member in members):
        return []
    while sum(_needed_s(run, member) for member in members) > seconds:
        members.remove(max(members, key=lambda one: _needed_s(run, one) / one.weight))
        if sum(member.weight for member in members) < 1.0 - SPARED:
            return []
    return [member.trial.key for member in members]


def _only(run: Run, fitted: FittedModel, keys: Sequence[str]) -> FittedModel:
    """Return the model with these of its members."""
    members = [member for member in fitted.members if member.trial.key in keys]
    if len(members) == len(fitted.members):
        return fitted
    total = sum(member.weight for member in members)
    kept = tuple(replace(member, weight=member.weight / total) for member in members)
    fewer = replace(fitted, program=members_of(fitted.program, kept), members=kept)
    return with_answers(fewer, run.rows, run.settings)


def _fit_again(run: Run, fitted: FittedModel) -> tuple[FittedModel, FittedModel] | None:
    """Fit the members' Recipes once more.

    A family that watches validation rows is fitted on the folds again; one that does not, and one
    that is served with some of its folds' models only, on all rows of training to be judged, and on
    every row to ship. After a split by time, only the fold that knows the most of the past is
    fitted.

    Returns
    -------
    tuple or None
        The blend to judge and the one to ship; None if the time was too short for a member.
    """
    judged = {member.trial.key: member for member in fitted.members}
    shipping = dict(judged)
    folder = run.journal.path.parent
    parts = _parts(run.rows, fitted, folder)
    for number, part in enumerate(parts):
        window = _share(run, parts[number:])
        study = _study(folder, part, run.rows, fitted)
        if fitted.teacher is not None:
            said = fitted.teacher.of_every(run.rows) if part.ships else fitted.teacher.training
            study.add_teacher(fitted.teacher.name, said)
        encodings = _encodings(study, part, run)
        # The dearest last: each may take half of what is left, the last one all of it.
        order = sorted(part.members, key=lambda member: member.trial.seconds)
        drafts = [_draft(member, part, run) for member in order]
        try:
            trials = search(
                study, encodings, drafts,
                journal=run.journal, budget=run.budget, window=window, staff=run.staff,
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


def _needed_s(run: Run, member: Chosen) -> float:
    """Guess how long it takes to fit a member again: on all rows it is done twice."""
    family = families_of(run.journal.path.parent).load(member.trial.recipe.family)
    times = 2.0 if _is_few(member, run.rows) and hasattr(family, "in_rounds") else 1.0
    return times * SLOWER * member.trial.seconds / max(run.staff.workers, 1)


def _share(run: Run, parts: Sequence[_Stage]) -> Window:
    """Return the first one's share of what time is left: some families use all they are given."""
    needed_s = [sum(one.trial.seconds for one in part.members) for part in parts]
    left_s = run.window.ends_s - run.budget.elapsed_s
    ends_s = run.budget.elapsed_s + left_s * needed_s[0] / sum(needed_s)
    return Window(ends_s, ends_s)


def _parts(rows: Rows, fitted: FittedModel, run: Path) -> list[_Stage]:
    """Divide the members into those that are fitted on all rows, and those on folds."""
    families = families_of(run)
    groups: dict[tuple[bool, int], list[Chosen]] = {}
    for member in fitted.members:
        family = families.load(member.trial.recipe.family)
        models = 1 if hasattr(family, "on_all_rows") else len(member.trial.folds)
        groups.setdefault((_on_all_rows(family, member, rows), models), []).append(member)
    last = rows.every_fold.for_models()
    if rows.every_fold.kind == "time":
        last = last[-1:]
    found = []
    for (on_all, models), some in sorted(groups.items()):
        members = tuple(some)
        if on_all:
            found += [
                _Stage.on_all(rows.training, rows.folds, models, members, ships=False),
                _Stage.on_all(rows.every, rows.every_fold, models, members, ships=True),
            ]
        else:
            folds = replace(rows.every_fold, parts=last[:models])
            found.append(
                _Stage(
                    f"folds-{models}", rows.every, folds, rows.every_fold, members,
                    once=False, ships=True,
                )
            )  # fmt: skip
    return found


def _on_all_rows(family: Family, member: Chosen, rows: Rows) -> bool:
    """Tell whether a member is fitted on all rows: always where no rows are watched, else few.

    The mean over all folds is better than one model of all rows, and has no need to guess its
    rounds; but of fewer models each had better know all rows.
    """
    if hasattr(family, "on_all_rows"):
        return True
    return _is_few(member, rows) and hasattr(family, "in_rounds")


def _is_few(member: Chosen, rows: Rows) -> bool:
    """Tell whether a member is served with some of its folds' models only."""
    folds = rows.folds.for_models()[: rows.fold_plan.fitted]
    return len(member.trial.folds) < len(folds) and rows.folds.kind != "time"


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


def _draft(member: Chosen, part: _Stage, run: Run) -> Draft:
    recipe = member.trial.recipe
    parameters: Mapping[str, Any] = recipe.parameters
    if part.once:
        family: Any = families_of(run.journal.path.parent).load(recipe.family)
        if hasattr(family, "on_all_rows"):
            entry = _entry(member, run)
            parameters = family.on_all_rows(parameters, entry.size_bytes / len(entry.folds))
        else:
            parameters = family.in_rounds(parameters, _rounds(_entry(member, run)))
    return Draft.again(
        recipe, parameters=parameters, seed=recipe.seed + (SEED if part.ships else 2 * SEED)
    )


def _entry(member: Chosen, run: Run) -> TrialEntry:
    """Return what the journal says of a member with all of its folds, in a replay as well."""
    entries = (*(run.journal.obeyed or ()), *run.journal.entries)
    return trial_entries(entries)[member.trial.key]


def _rounds(entry: TrialEntry) -> int:
    """Return the rounds for all rows: the mean of the folds', a few more as there are more rows."""
    rounds = entry.details["rounds"]
    folds = max(len(rounds), 2)
    return max(1, round(float(np.mean(rounds)) * math.sqrt(folds / (folds - 1))))


def _chosen(member: Chosen, trial: Trial, study: Study, encodings: Encodings) -> Chosen:
    return Chosen(
        recipe=member.recipe,
        trial=trial,
        encoders=tuple(encoder.blocks for encoder in encodings.features(trial.recipe).encoders),
        proof_matrix=np.asarray(study.proof_matrix(trial.recipe.matrix)),
        weight=member.weight,
    )


def _decision(rows: Rows) -> Decision:
    return Decision(
        subject=EVERY_ROW,
        choice=f"all {rows.every.rows:,}",
        reason=f"The score is that of the same Recipes fitted without the {rows.holdout.rows:,} "
        "rows of the holdout, which no choice has seen. The models that ship have learned from "
        "these rows too, so they should do a little better than it says.",
    )
