"""The fourth stage of ``train``: smaller models, each measured on its own graph; one ships.

Timings choose here, so the choice and all that was measured are one entry of the journal. Where
there is no time to measure, or no clock may decide (``trials``), expected costs choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import msgspec

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.core.findings import Decision
from drivetrain.core.machine import cores
from drivetrain.lifecycle.training.given_up import given_up
from drivetrain.lifecycle.training.limits import MEASURE_S, unmet
from drivetrain.lifecycle.training.mix import Pool, blends_of, fitted_of
from drivetrain.lifecycle.training.model import FittedModel
from drivetrain.lifecycle.training.prove import prove_model
from drivetrain.lifecycle.training.settings import TrainSettings, limits_of
from drivetrain.lifecycle.training.ship import model_of
from drivetrain.lifecycle.training.speed import measure_both
from drivetrain.lifecycle.training.stages import Run
from drivetrain.lifecycle.training.students import (
    fit_student,
    full_answers,
    student_blends,
    teacher_of,
)
from drivetrain.lifecycle.training.tried import Tried
from drivetrain.search.blend_table import Blend, spread_of
from drivetrain.search.budget import Budget
from drivetrain.search.fold_means import Answers, excess, fold_gain
from drivetrain.search.shrink import (
    FAST_MARGIN,
    MARGIN,
    MOST_RISK,
    WIDE_MARGIN,
    Limits,
    Measured,
    Proposal,
    choose,
    expected,
    propose,
    to_measure,
    with_front,
)
from drivetrain.search.trial import Trial

SHARE = 0.08  # of a run's time limit, kept for this
SHORTEST_S = 20.0  # time limit below which nothing is kept, but where limits have to be met
LEAST_S = 2.0  # kept where limits have to be met, however short the run
PROOF_ROWS = 500  # held-out rows that a candidate is proved on; the one that ships on all
COLUMN_S = 0.003  # that a candidate takes for each input column, on a machine with nothing else
LARGEST_BYTES = 150_000_000  # expected, of what is still worth lowering
LEAST_BYTES = 1_000_000  # a model of fewer takes as long to measure as one of so many
BYTES_A_S = 20e6  # at which a graph is made, proved and opened
CAUTION = 2.0  # times what a student is told to lack, that it may well lack more
EASY = 0.9  # of a limit: another measurement is a little different


def shrink_s(settings: TrainSettings, budget: Budget) -> float:
    """Seconds that the search leaves for :func:`shrink`; 0 where none is measured."""
    if limits_of(settings):
        return max(SHARE * budget.limit_s, min(LEAST_S, 0.2 * budget.limit_s))
    if budget.limit_s < SHORTEST_S or settings.trials is not None:
        return 0.0
    return SHARE * budget.limit_s


def shrink(run: Run, tried: Tried) -> FittedModel:
    """Make smaller models of the trials and return the one to ship.

    Raises
    ------
    LimitError
        If none that was measured is within the limits.
    """
    pool = Pool(run, tried)
    with run.clock.stage("blend"):
        blends = blends_of(pool)
        proposals = _proposals(pool, blends, blends[0][1].weights)
    full = proposals[0]
    teacher = teacher_of(pool, full)
    with run.clock.stage("student"):
        student = None if run.shrink_s == 0 else fit_student(pool, teacher)
    if student is not None:
        pool = replace(pool, student=student)
        proposals = (*proposals, *_of_student(pool, student, full))
    limits = limits_of(run.settings)
    told = run.journal.choose(
        "shrink", lambda: msgspec.to_builtins(_measured(pool, proposals, limits))
    )
    front = msgspec.convert(told, tuple[Measured, ...])
    chosen = next((line for line in front if line.is_chosen), None)
    if chosen is None:
        raise unmet(limits, front)
    proposal = next(one for one in proposals if one.name == chosen.name)
    fitted = fitted_of(pool, proposal, front)
    return replace(
        fitted,
        given_up=given_up(pool, proposal, full),
        teacher=teacher,
        decisions=(*fitted.decisions, _explain(chosen, front)),
    )


def _proposals(
    pool: Pool, blends: Sequence[tuple[str, Blend, dict[str, int]]], full: Mapping[str, float]
) -> tuple[Proposal, ...]:
    """Make proposals, each compared with the full ensemble of these weights."""
    run = pool.run
    mixed = pool.mean(full)
    residuals = _residuals(pool, mixed)
    truth = full_answers(pool, full)
    told = partial(
        fold_gain, pool.trials,
        metric=run.metric, rows=len(truth), residuals=residuals, truth=truth,
    )  # fmt: skip
    most = told(full, {key: len(pool.costs_ns[key]) for key in full})

    def gain(weights: Mapping[str, float], folds: Mapping[str, int]) -> float:
        # A single member gains more by its folds than the ensemble, for they are its only mean; but
        # counted so, that hid what labels had shown it to lack (docs/lab-log.md).
        return min(told(weights, folds), most)

    def spread(weights: Mapping[str, float]) -> float:
        if weights == full:
            return 0.0
        own = pool.mean(weights)
        return spread_of(run.metric, pool.y, own, mixed, pool.weight, run.settings.seed)

    return propose(blends, pool.costs_ns, gain, spread)


def _of_student(pool: Pool, student: Trial, full: Proposal) -> tuple[Proposal, ...]:
    """Make proposals of a student: the full ensemble's error, and what it is told to err more."""
    truth = full_answers(pool, full.weights)
    answers = Answers([student], {student.key: 1.0}, len(truth))
    residuals = _residuals(pool, pool.mean(full.weights))

    def told(one: Proposal) -> Proposal:
        said = answers.of(one.folds)
        lacks = excess(said, truth, metric=pool.run.metric, residuals=residuals)
        return replace(one, error=full.error + lacks, spread=CAUTION * lacks)

    blends = student_blends(pool, student)
    found = propose(blends, pool.costs_ns, lambda weights, folds: 0.0, lambda weights: 0.0)
    return tuple(told(one) for one in found)


def _residuals(pool: Pool, mixed: FloatMatrix) -> FloatVector | None:
    """Return a regression's residuals of a blend's out-of-fold answers."""
    return pool.y - mixed[:, 0] if pool.run.rows.target.task == "regression" else None


def _measured(pool: Pool, proposals: Sequence[Proposal], limits: Limits) -> tuple[Measured, ...]:
    """Measure as many proposals as there is time for, and choose."""
    lines = {line.name: line for line in expected(proposals, cores())}
    if pool.run.shrink_s > 0 and (limits or _has_time_to_measure(pool.run)):
        known = {one.name: one for one in proposals}
        ends_s = pool.run.budget.elapsed_s + pool.run.shrink_s
        pace = 0.0  # seconds for a byte, of the slowest so far
        while name := to_measure(tuple(lines.values()), limits, cores()):
            began_s = pool.run.budget.elapsed_s
            size = max(_size(pool, known[name]), LEAST_BYTES)
            if pace and began_s + max(MEASURE_S, pace * size) > ends_s:
                lines[name] = msgspec.structs.replace(lines[name], note="not measured: no time")
                continue
            lines[name] = _measure(pool, known[name], lines[name], size, ends_s)
            pace = max(pace, (pool.run.budget.elapsed_s - began_s) / size)
    found = tuple(lines.values())
    chosen = choose(found, _eased(limits)) or choose(found, limits)
    return with_front(found, "" if chosen is None else chosen.name)


def _has_time_to_measure(run: Run) -> bool:
    """Tell whether one proposal can be measured; where none can, expected costs choose."""
    needed_s = run.budget.slowness * COLUMN_S * run.budget.columns
    return needed_s <= min(run.shrink_s, run.spare_s())


def _eased(limits: Limits) -> Limits:
    return Limits(
        limits.max_latency_us and EASY * limits.max_latency_us,
        limits.max_size_mb and EASY * limits.max_size_mb,
        limits.min_rows_per_s and limits.min_rows_per_s / EASY,
    )


def _size(pool: Pool, proposal: Proposal) -> int:
    """Return the bytes that a proposal's models are expected to take in a graph."""
    return sum(
        fold.report.size_bytes
        for trial in pool.trials
        for fold in trial.folds[: proposal.folds.get(trial.key, 0)]
    )


def _measure(pool: Pool, proposal: Proposal, line: Measured, size: int, ends_s: float) -> Measured:
    """Lower, prove and time one proposal."""
    run = pool.run
    left_s = ends_s - run.budget.elapsed_s
    if size > LARGEST_BYTES or size / BYTES_A_S > max(left_s, 1.0):
        return msgspec.structs.replace(
            line, note=f"not measured: {size / 1e6:,.0f} MB, as expected"
        )
    run.reporter.say("shrink", f"measuring {proposal.name}")
    proved = prove_model(run.rows, fitted_of(pool, proposal), run.proof, most_rows=PROOF_ROWS)
    model = model_of(run, proved)
    frame = run.rows.frame.drop(run.rows.target.name)
    latency, free_rows_per_s = measure_both(model, frame, MEASURE_S)
    return msgspec.structs.replace(
        line,
        latency_us=latency.single_row_p50_us,
        rows_per_s=latency.rows_per_s,
        free_rows_per_s=free_rows_per_s,
        size_bytes=len(proved.graph),
    )


def _explain(chosen: Measured, front: Sequence[Measured]) -> Decision:
    measured = sum(line.is_measured for line in front)
    how = f"{measured} of them measured on their own graphs" if measured else "by expected cost"
    return Decision(
        subject="size of the model",
        choice=f"{chosen.name}: {chosen.models} models of {chosen.members} Recipes",
        reason=f"Of {len(front)} models of the same trials, {how}, it is the cheapest whose "
        f"out-of-fold error is near the least: {chosen.worse:.2%} above it. Near is "
        f"{MARGIN:.2%}, {FAST_MARGIN:.0%} where only that is fast or nothing is quick, or "
        f"{WIDE_MARGIN:.0%} where nothing nearer is quick and small; none was taken that may "
        f"well be {MOST_RISK:.0%} worse than the full ensemble if another was quick and small.",
    )
