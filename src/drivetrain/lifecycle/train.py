"""Train: from a table and a target to a bundle, under one hard time limit.

``rows`` reads, checks and splits; ``tried`` searches; ``mix`` blends; ``shrink`` chooses how large
a model; ``renew`` fits it again on every row; ``prove`` compares graph and libraries; ``ship``
evaluates through the graph, measures and writes.
"""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from drivetrain.core.contract import Task
from drivetrain.core.machine import (
    cores,
    free_memory_bytes,
    kind_of_machine,
    own_memory_bytes,
)
from drivetrain.core.progress import Listener, Reporter, silent
from drivetrain.core.settings import build
from drivetrain.lifecycle.tracking import tracking
from drivetrain.lifecycle.training.answers import answers_s, with_answers
from drivetrain.lifecycle.training.header import find_task_metric, header_of
from drivetrain.lifecycle.training.limits import within_limits
from drivetrain.lifecycle.training.model import FittedModel
from drivetrain.lifecycle.training.places import Places, choose_places, clearing
from drivetrain.lifecycle.training.prove import choose_proof_rows
from drivetrain.lifecycle.training.proved import prove_both
from drivetrain.lifecycle.training.renew import kept_s, renew
from drivetrain.lifecycle.training.rows import make_rows
from drivetrain.lifecycle.training.settings import (
    LatencyResult,
    ParityResult,
    TrainResult,
    TrainSettings,
    TrialRow,
)
from drivetrain.lifecycle.training.ship import Shipped, ship
from drivetrain.lifecycle.training.shrink import shrink, shrink_s
from drivetrain.lifecycle.training.stages import Clock, Run
from drivetrain.lifecycle.training.tried import try_recipes
from drivetrain.models.brought.reference import reference_of
from drivetrain.runtime.model import Model
from drivetrain.search.budget import Budget
from drivetrain.search.crew import Staff, hire
from drivetrain.search.journal import EndEntry, Entry, Journal, StartEntry, open_run
from drivetrain.search.portfolio import FIRST_LOADED, kept_folds
from drivetrain.search.replay import replayed_header

__all__ = ["LatencyResult", "ParityResult", "TrainResult", "TrainSettings", "TrialRow", "train",
           "train_model"]  # fmt: skip

LONG_S = 15.0  # a limit with which a second family is sure to have its turn
MEMORY_SHARE = 0.8  # of what is free, by default: others on the machine need some, too


def train(
    data: Any,
    target: str,
    *,
    task: Task | None = None,
    metric: str | None = None,
    time_limit: float = 120.0,
    out: str | Path | None = None,
    seed: int = 0,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    missing_values: Sequence[str] = (),
    policy: Mapping[str, str] | None = None,
    private: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    holdout: float | None = None,
    folds: int | None = None,
    refit: bool = True,
    strict: bool = False,
    overwrite: bool = False,
    name: str | None = None,
    coverage: float | None = None,
    costs: Sequence[str] = (),
    out_of_range: bool = False,
    workers: int | None = None,
    memory_limit: float | None = None,
    trials: int | None = None,
    max_latency_us: float | None = None,
    max_size_mb: float | None = None,
    min_rows_per_s: float | None = None,
    like: str | Path | None = None,
    recipes: str = "search",
    families: Sequence[object] = (),
    progress: Listener = silent,
) -> TrainResult:
    """Train, prove, evaluate and write a bundle.

    Parameters
    ----------
    data
        Path of a table, or a Polars, pandas or Arrow frame.
    out
        Folder of the bundle; None for a temporary one. A run that was killed is gone on with when
        it is started again with the same data and settings.
    families
        Models of your own to try beside drivetrain's: classes that are defined in a file, or
        ``"FILE.py:CLASS"``.
    progress
        Hears what is being done.

    All other parameters are those of :class:`TrainSettings`. Where ``MLFLOW_TRACKING_URI`` is set,
    the run is sent to that server.

    Raises
    ------
    DataError
        If the data or the target cannot be used.
    SettingError
        If a setting is wrong, or the time limit too short for anything.
    LimitError
        If no model is as quick or small as asked; the trials are kept for another run.
    ParityError
        If the graph and the fitted models differ: nothing is written then.
    """
    values = {
        "target": target, "task": task, "metric": metric, "time_limit": time_limit,
        "out": None if out is None else str(out), "seed": seed, "keep": tuple(keep),
        "drop": tuple(drop), "missing_values": tuple(missing_values), "policy": policy or {},
        "private": tuple(private), "group": group, "time": time,
        "weight": weight, "holdout": holdout, "folds": folds, "refit": refit, "strict": strict,
        "overwrite": overwrite, "name": name, "workers": workers,
        "memory_limit": memory_limit, "coverage": coverage, "costs": tuple(costs),
        "out_of_range": out_of_range,
        "trials": trials, "max_latency_us": max_latency_us, "max_size_mb": max_size_mb,
        "min_rows_per_s": min_rows_per_s, "like": None if like is None else str(like),
        "recipes": recipes, "family": tuple(reference_of(each) for each in families),
    }  # fmt: skip
    return run(data, build(TrainSettings, values, source="train()"), Reporter(progress))


def train_model(data: Any, target: str, **settings: Any) -> Model:
    """Train as :func:`train` does, and return the bundle loaded.

    Without ``out`` the bundle's folder is a temporary one that goes with the model.

    Examples
    --------
    ::

        model = train_model("income.csv", target="income", time_limit=60)
        model.predict_proba({"age": 39, "education": "Bachelors"})
    """
    bundle = Path(train(data, target, **settings).bundle)
    model = Model.load(bundle)
    if settings.get("out") is None:
        weakref.finalize(model, shutil.rmtree, bundle.parent, ignore_errors=True)
    return model


def run(data: Any, settings: TrainSettings, reporter: Reporter) -> TrainResult:
    """Train under settings that are already checked; see :func:`train`."""
    budget = Budget.start(settings.time_limit)
    places = choose_places(settings.out, overwrite=settings.overwrite)
    with tracking(settings) as tracker:
        result = train_in(places, data, settings, budget, reporter)
        return msgspec.structs.replace(result, mlflow_run=tracker.finished(result))


def train_in(
    places: Places,
    data: Any,
    settings: TrainSettings,
    budget: Budget,
    reporter: Reporter,
    *,
    obeyed: Sequence[Entry] | None = None,
) -> TrainResult:
    """Train in chosen folders, or make a run again whose journal is obeyed.

    Parameters
    ----------
    obeyed
        The entries of the run to replay.
    """
    workers = cores() if settings.workers is None else settings.workers
    # The crew imports the learning libraries while this process reads the table.
    first = FIRST_LOADED if settings.time_limit >= LONG_S else FIRST_LOADED[:1]
    with closing(hire(threads=1, first=first, workers=workers)) as crew:
        staff = Staff(crew, max(workers, 1), memory_bytes=_memory_bytes(settings))
        return _train(data, settings, places, budget, staff, reporter, obeyed)


def _train(
    data: Any,
    settings: TrainSettings,
    places: Places,
    budget: Budget,
    staff: Staff,
    reporter: Reporter,
    obeyed: Sequence[Entry] | None,
) -> TrainResult:
    clock = Clock()
    with clock.stage("rows"):
        rows = make_rows(data, settings, reporter)
        metric, why = find_task_metric(rows, settings.metric)
        rows = replace(rows, decisions=(*rows.decisions, why))
        proof = choose_proof_rows(rows, settings.seed)
    header = header_of(rows, settings, metric)
    if obeyed is not None:
        header = replayed_header(header, obeyed)
    with open_run(places.run, header, obeyed) as journal, clearing(places):
        journal.append(_start(data, settings))
        folds = kept_folds(rows.fold_plan, journal)
        rows = replace(rows, fold_plan=folds, decisions=(*rows.decisions, folds.decision))
        budget = replace(budget.measured(), columns=len(rows.contract.columns))
        window = budget.window()
        window = replace(window, ends_s=window.ends_s - answers_s(settings, budget))
        refit, shrunk = journal.choose(
            "kept", lambda: [kept_s(rows, settings, budget), shrink_s(settings, budget)]
        )
        stages = Run(
            rows=rows, proof=proof, metric=metric, settings=settings, journal=journal,
            budget=replace(budget, kept_s=refit), window=window, staff=staff,
            reporter=reporter, shrink_s=shrunk, clock=clock,
        )  # fmt: skip
        shipped, fitted = _work(stages, places)
        _end(journal, shipped, fitted, budget)
    return _result(shipped, fitted, places, budget)


def _work(run: Run, places: Places) -> tuple[Shipped, FittedModel]:
    """Go through the stages that follow the rows, one after the other, each under its clock."""
    stage = run.clock.stage
    with stage("search"):
        tried = try_recipes(run)
    run = run.as_slow_as_found()
    with stage("shrink"):
        searched = with_answers(shrink(run, tried), run.rows, run.settings)
    with stage("every row"):
        fitted, renewed = renew(run, searched)
    run.staff.crew.close()
    run.reporter.say("prove", f"comparing graph and libraries on {run.rows.holdout.rows:,} rows")
    with stage("proof"):
        judged, shipping = prove_both(run, fitted, renewed)
        judged, shipping, latency = within_limits(run, judged, shipping)
    shipped = ship(run, searched, judged, shipping, places, latency=latency)
    return shipped, shipping.fitted


def _memory_bytes(settings: TrainSettings) -> int | None:
    """Return the memory that the run may take; None where the system does not say what is free."""
    if settings.memory_limit is not None:
        return int(1e9 * settings.memory_limit)
    free = free_memory_bytes()
    return None if free is None else int(MEMORY_SHARE * (free + own_memory_bytes()))


def _start(data: Any, settings: TrainSettings) -> StartEntry:
    return StartEntry(
        settings=msgspec.to_builtins(settings),
        source=str(Path(data).resolve()) if isinstance(data, (str, Path)) else "",
        machine=kind_of_machine(),
    )


def _end(journal: Journal, shipped: Shipped, fitted: FittedModel, budget: Budget) -> None:
    manifest = shipped.manifest
    journal.append(
        EndEntry(
            content_hash=manifest.content_hash,
            files={name: file.sha256 for name, file in manifest.files.items()},
            elapsed_s=budget.elapsed_s,
            weights={row.trial: row.weight for row in fitted.leaderboard if row.weight},
        )
    )


def _result(shipped: Shipped, fitted: FittedModel, places: Places, budget: Budget) -> TrainResult:
    manifest, score = shipped.manifest, shipped.scorecard.score
    proof = manifest.proof
    return TrainResult(
        bundle=str(places.bundle),
        task=shipped.scorecard.task,
        metric=manifest.metric,
        score=score.score,
        score_low=score.low,
        score_high=score.high,
        elapsed_s=budget.elapsed_s,
        trials=sum(row.status != "failed" for row in fitted.leaderboard),
        parity=ParityResult(
            rows=proof.rows + proof.adversarial_rows,
            max_abs_diff=proof.max_abs_diff,
            label_flips=proof.label_flips,
        ),
        latency=shipped.latency,
        size_bytes=shipped.size_bytes,
        leaderboard=fitted.leaderboard,
        front=fitted.front,
        given_up=fitted.given_up,
        promises=shipped.scorecard.promises,
        findings=manifest.findings,
        decisions=manifest.decisions,
    )
