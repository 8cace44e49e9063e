"""The second stage of ``train``: from rows to a Program, through the search and the blend."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import msgspec
import numpy as np

from drivetrain.core.arrays import Array, Columns, Features, FloatMatrix
from drivetrain.core.findings import Decision
from drivetrain.core.plugins import Plugins
from drivetrain.core.progress import Reporter
from drivetrain.features.encoder import Target
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.ramps import Ramps
from drivetrain.graph.program import Member, Program
from drivetrain.lifecycle.training.brought import bring_families, brought_digests
from drivetrain.lifecycle.training.leaderboard import leaderboard_rows
from drivetrain.lifecycle.training.like import drafts_like
from drivetrain.lifecycle.training.rows import Rows
from drivetrain.lifecycle.training.settings import TrainSettings, TrialRow
from drivetrain.models.family import Family, Shape
from drivetrain.search.blend import Blend, Candidate, choose_blend
from drivetrain.search.budget import Budget
from drivetrain.search.calibrate import choose_calibration
from drivetrain.search.crew import Staff
from drivetrain.search.encodings import Encodings, TrainingRows
from drivetrain.search.journal import Header, Journal
from drivetrain.search.portfolio import plan_portfolio
from drivetrain.search.run import search
from drivetrain.search.study import Problem, Study
from drivetrain.search.target_map import find_maps
from drivetrain.search.threshold import choose_threshold
from drivetrain.search.trial import Trial, thinned
from drivetrain.search.tuner import Tuner
from drivetrain.stats.metrics import Metric, default_metric, find_metric

# One row in a batch may cost this much in models, on one core, the cheaper the better: with
# encoders and the reading of cells, two cores serve 100,000, 60,000 or 22,000 rows a second.
TIERS_NS = (11_000.0, 25_000.0, 75_000.0)
MOST_NS = 50_000.0  # of one trial: a dearer one is served with fewer of its folds' models
_PACKAGES = ("drivetrain", "numpy", "onnxruntime", "onnx", "lightgbm", "scikit-learn", "polars",
             "xgboost", "catboost", "torch", "scipy")  # fmt: skip
# What may change between two runs that go on with each other's trials.
_NOT_OF_THE_TRIALS = {"time_limit": 0.0, "out": None, "overwrite": False, "name": None,
                      "workers": None, "memory_limit": None, "trials": None,
                      "strict": False}  # fmt: skip


@dataclass(frozen=True)
class Chosen:
    """A trial in the blend, its fitted encoders, and their features of the proof's rows."""

    trial: Trial
    encoders: tuple[tuple[Block, ...], ...]
    proof_matrix: Features
    weight: float


@dataclass(frozen=True)
class FittedModel:
    """What the search chose.

    ``linear`` is what the linear trial predicts on the holdout, a baseline for the Scorecard.
    """

    program: Program
    members: tuple[Chosen, ...]
    metric: Metric
    linear: Array | None
    leaderboard: tuple[TrialRow, ...]
    decisions: tuple[Decision, ...]


def find_task_metric(rows: Rows, asked: str | None) -> tuple[Metric, Decision]:
    """Return the metric asked for, or the task's usual one, and why."""
    task = rows.target.task
    if asked is not None:
        metric = find_metric(asked, task)
        return metric, Decision(subject="metric", choice=metric.name, reason="It was asked for.")
    metric = find_metric(default_metric(task))
    reason = f"The usual one for a {task} task. {metric.about}"
    return metric, Decision(subject="metric", choice=metric.name, reason=reason)


def header_of(rows: Rows, settings: TrainSettings, metric: Metric) -> Header:
    """Say what the trials of a run are a function of."""
    plain = msgspec.to_builtins(msgspec.structs.replace(settings, **_NOT_OF_THE_TRIALS))
    plain["family"] = brought_digests(settings.family)
    return Header(
        settings={**plain, "metric": metric.key}, data=rows.fingerprint, packages=packages()
    )


def packages() -> dict[str, str]:
    """Return the versions of the libraries that the numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def fit_model(
    rows: Rows,
    proof: Columns,
    metric: Metric,
    settings: TrainSettings,
    *,
    journal: Journal,
    budget: Budget,
    staff: Staff,
    reporter: Reporter,
) -> FittedModel:
    """Search, blend, and choose the threshold.

    Parameters
    ----------
    proof
        Typed columns of the rows that parity compares: the holdout first, then others.
    """
    target = rows.target
    training = rows.training
    problem = Problem(
        task=target.task,
        classes=len(target.classes),
        metric=metric.key,
        folds=min(rows.fold_plan.fitted, len(rows.folds.for_models())),
    )
    study = Study.create(journal.path.parent, problem, training.y, training.weight, rows.folds)
    shape = Shape(training.rows, len(rows.contract.columns), len(target.classes))
    brought = bring_families(settings.family, target, journal.path.parent, reporter)
    maps = find_maps(training.y, metric.name) if target.task == "regression" else ()
    portfolio = plan_portfolio(brought.families, target.task, shape, seed=settings.seed, maps=maps)
    tuner = Tuner(spaces=portfolio.spaces, metric=metric, rows=training.rows, seed=settings.seed)
    encodings = Encodings(
        study=study,
        rows=TrainingRows(
            contract=rows.contract,
            columns=training.columns,
            target=Target(training.y, target.task, len(target.classes)),
            weight=training.weight,
            folds=rows.folds,
        ),
        proof=proof,
        seed=settings.seed,
    )
    again = drafts_like(settings, rows.contract)
    trials = search(
        study,
        encodings,
        brought.early(portfolio.drafts)[: settings.trials] if again is None else again,
        tuner if settings.trials is None and again is None else None,
        journal=journal,
        budget=budget,
        staff=staff,
        reporter=reporter,
    )
    # Which encodings were begun hangs on the clock, whether or not a trial came of them.
    told = journal.choose("encodings", lambda: msgspec.to_builtins(encodings.decisions))
    encoded = msgspec.convert(told, tuple[Decision, ...])
    reporter.say("search", f"blending {len(trials)} trials")
    once = brought.families if budget.kept_s > 0 else None  # fitted again, some on all rows
    candidates = tuple(_served(trial, once) for trial in comparable(trials))
    costs = {trial.key: _served_ns(trial, once) for trial in candidates}
    blend, head, why = _blend(candidates, costs, rows, metric, settings.seed)
    members = tuple(
        Chosen(
            trial=trial,
            encoders=tuple(e.blocks for e in encodings.features(trial.recipe).encoders),
            proof_matrix=np.asarray(study.proof_matrix(trial.recipe.matrix)),
            weight=blend.weights[trial.key],
        )
        for trial in candidates
        if trial.key in blend.weights
    )
    return FittedModel(
        program=members_of(head, members),
        members=members,
        metric=metric,
        linear=_linear_baseline(trials, rows.holdout.rows),
        leaderboard=leaderboard_rows(journal.trials(), blend.weights, metric),
        decisions=(*portfolio.decisions, *brought.decisions, *encoded, *why),
    )


def comparable(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """Return the trials that are judged on the same rows: those with the most folds finished."""
    most = max(len(trial.folds) for trial in trials)
    numbers = next(
        [fold.number for fold in trial.folds] for trial in trials if len(trial.folds) == most
    )
    return tuple(t for t in trials if [fold.number for fold in t.folds] == numbers)


def _served(trial: Trial, families: Plugins[Family] | None) -> Trial:
    """Return the trial with the folds' models that the bundle can afford to hold of it."""
    return trial if _is_once(trial, families) else thinned(trial, MOST_NS)


def _served_ns(trial: Trial, families: Plugins[Family] | None) -> float:
    """Guess what a trial costs in the bundle, where a forest of all rows replaces one a fold."""
    return 2.0 * trial.cost_ns / len(trial.folds) if _is_once(trial, families) else trial.cost_ns


def _is_once(trial: Trial, families: Plugins[Family] | None) -> bool:
    """Tell whether one fit on all rows will take the place of one on each fold."""
    if families is None:
        return False
    return hasattr(families.load(trial.recipe.family), "on_all_rows")


def _blend(
    trials: tuple[Trial, ...],
    costs_ns: Mapping[str, float],
    rows: Rows,
    metric: Metric,
    seed: int,
) -> tuple[Blend, Program, tuple[Decision, ...]]:
    """Choose weights, calibration and threshold; the program has no members yet."""
    y, weight = rows.training.y, rows.training.weight
    judged = trials[0].judged()
    truth = y[judged]
    some = None if weight is None else weight[judged]
    candidates = [Candidate(t.key, t.prediction[judged], costs_ns[t.key]) for t in trials]
    blend = choose_blend(candidates, truth, some, metric, tiers_ns=TIERS_NS, seed=seed)
    head = Program(contract=rows.contract, members=())
    if rows.target.task == "regression":
        return blend, head, (blend.decision,)
    shares = [c.prediction * blend.weights[c.key] for c in candidates if c.key in blend.weights]
    mixed = np.sum(shares, axis=0)
    parts = tuple(fold for fold in rows.folds.for_models() if judged[fold.judge].all())
    calibration, why = choose_calibration(mixed, truth, some, replace(rows.folds, parts=parts))
    for block in calibration:
        mixed = block.of(mixed)
    head = replace(head, calibration=calibration)
    if mixed.shape[1] != 1:
        return blend, head, (blend.decision, why)
    threshold, because = choose_threshold(mixed[:, 0], truth, some, metric, seed)
    return blend, replace(head, threshold=threshold), (blend.decision, why, because)


def members_of(program: Program, members: tuple[Chosen, ...]) -> Program:
    """Return the program with these members in place of its own."""
    return replace(
        program,
        members=tuple(
            Member(
                name=member.trial.key,
                encoders=member.encoders,
                folds=tuple(fold.blocks for fold in member.trial.folds),
                link=member.trial.link,
                weight=member.weight,
                curve=_curve(member.trial),
            )
            for member in members
        ),
    )


def _curve(trial: Trial) -> Ramps | None:
    """Return what undoes the transform of the target."""
    return None if trial.recipe.target is None else trial.recipe.target.curve()


def _linear_baseline(trials: tuple[Trial, ...], rows: int) -> Array | None:
    """Return the linear trial's predictions of the first proof rows, which are the holdout."""
    for trial in trials:
        if trial.recipe.family == "linear":
            margins = [np.asarray(fold.proof_margin()[:rows]) for fold in trial.folds]
            if len(margins[0]) < rows:
                return None  # a holdout larger than what is proved
            prediction: FloatMatrix = trial.answer(np.mean(margins, axis=0))
            if trial.link == "sigmoid":
                return np.hstack([1.0 - prediction, prediction])
            return prediction if prediction.shape[1] > 1 else prediction[:, 0]
    return None
