"""The second stage of ``train``: the search, from rows to trials."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from drivetrain.core.findings import Decision
from drivetrain.core.plugins import Plugins
from drivetrain.features.encoder import Target
from drivetrain.lifecycle.training.brought import bring_families
from drivetrain.lifecycle.training.like import drafts_like
from drivetrain.lifecycle.training.stages import Run
from drivetrain.models.family import Family, Shape
from drivetrain.search.encodings import Encodings, TrainingRows
from drivetrain.search.portfolio import plan_portfolio
from drivetrain.search.run import search
from drivetrain.search.study import Problem, Study
from drivetrain.search.target_map import find_maps
from drivetrain.search.trial import Trial
from drivetrain.search.tuner import Tuner
from drivetrain.search.variants import wordy_columns


@dataclass(frozen=True)
class Tried:
    """The trials of a run, with the encoders and families that they were made of."""

    trials: tuple[Trial, ...]
    study: Study
    encodings: Encodings
    families: Plugins[Family]
    decisions: tuple[Decision, ...]


def try_recipes(run: Run) -> Tried:
    """Search: fit Recipes on the folds until the time is used up."""
    rows, settings, training = run.rows, run.settings, run.rows.training
    target, folder = rows.target, run.journal.path.parent
    study = _study(run)
    encodings = _encodings(run, study)
    shape = Shape(training.rows, len(rows.contract.columns), len(target.classes))
    brought = bring_families(settings.family, target, folder, run.reporter)
    maps = find_maps(training.y, run.metric.name) if target.task == "regression" else ()
    portfolio = plan_portfolio(
        brought.families, target.task, shape,
        seed=settings.seed, maps=maps, words=bool(wordy_columns(rows.contract, training.columns)),
    )  # fmt: skip
    tuner = Tuner(
        spaces=portfolio.spaces, metric=run.metric, rows=training.rows, seed=settings.seed
    )
    again = drafts_like(settings, rows.contract)
    trials = search(
        study,
        encodings,
        brought.early(portfolio.drafts)[: settings.trials] if again is None else again,
        tuner if settings.trials is None and again is None else None,
        journal=run.journal,
        budget=run.budget,
        staff=run.staff,
        reporter=run.reporter,
        window=run.search_window(),
    )
    # Which encodings were begun hangs on the clock, whether or not a trial came of them.
    told = run.journal.choose("encodings", lambda: msgspec.to_builtins(encodings.decisions))
    encoded = msgspec.convert(told, tuple[Decision, ...])
    decisions = (*portfolio.decisions, *brought.decisions, *encoded)
    return Tried(trials, study, encodings, brought.families, decisions)


def _study(run: Run) -> Study:
    rows, training = run.rows, run.rows.training
    problem = Problem(
        task=rows.target.task,
        classes=len(rows.target.classes),
        metric=run.metric.key,
        folds=min(rows.fold_plan.fitted, len(rows.folds.for_models())),
    )
    folder = run.journal.path.parent
    return Study.create(folder, problem, training.y, training.weight, rows.folds)


def _encodings(run: Run, study: Study) -> Encodings:
    rows, training = run.rows, run.rows.training
    learned = TrainingRows(
        contract=rows.contract,
        columns=training.columns,
        target=Target(training.y, rows.target.task, len(rows.target.classes)),
        weight=training.weight,
        folds=rows.folds,
    )
    proof = run.proof.together()
    return Encodings(study=study, rows=learned, proof=proof, seed=run.settings.seed)
