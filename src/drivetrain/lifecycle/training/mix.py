"""The third stage of ``train``: from trials to one model, blended, calibrated, with a threshold."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.core.findings import Decision
from drivetrain.core.plugins import Plugins
from drivetrain.graph.blocks.powers import Powers
from drivetrain.graph.program import Program
from drivetrain.lifecycle.training.leaderboard import leaderboard_rows
from drivetrain.lifecycle.training.model import Chosen, FittedModel, members_of
from drivetrain.lifecycle.training.stages import Run
from drivetrain.lifecycle.training.tried import Tried
from drivetrain.models.family import Family
from drivetrain.search.blend import MOST_ROWS, STEPS, Blend, Candidate, choose_blend
from drivetrain.search.calibrate import MOST_ROWS as MOST_CALIBRATED
from drivetrain.search.calibrate import choose_calibration
from drivetrain.search.threshold import choose_threshold
from drivetrain.search.trial import Trial, as_scored, with_models

# One row in a batch may cost this much in models, on one core, the cheaper the better: with
# encoders and the reading of cells, two cores serve 100,000, 60,000 or 22,000 rows a second.
TIERS_NS = (11_000.0, 25_000.0, 65_000.0)
BLEND_SHARE = 0.3  # of the seconds that are left when the search is over
FEWEST_ROWS = 1_000  # to choose a blend on, however short the time
CALIBRATION_S = 2e-5  # that a calibration takes for each probability


@dataclass(frozen=True)
class _Judged:
    """Out-of-fold answers of the trials that can be compared, and the truth of those rows.

    ``whole`` holds the keys of trials in whose place one model of all rows, twice as large, is
    served.
    """

    run: Run
    trials: tuple[Trial, ...]
    whole: frozenset[str]

    @property
    def y(self) -> FloatVector:
        return self.run.rows.training.y[self.trials[0].judged()]

    @property
    def weight(self) -> FloatVector | None:
        weight = self.run.rows.training.weight
        return None if weight is None else weight[self.trials[0].judged()]

    def candidates(self) -> list[Candidate]:
        judged = self.trials[0].judged()
        return [
            Candidate(trial.key, trial.prediction[judged], 2.0 * trial.cost_ns / len(trial.folds))
            if trial.key in self.whole
            else Candidate(
                trial.key, trial.prediction[judged], trial.cost_ns, models=len(trial.folds)
            )
            for trial in self.trials
        ]


def mix(run: Run, tried: Tried) -> FittedModel:
    """Choose weights, calibration and threshold by the out-of-fold answers of the trials."""
    run.reporter.say("search", f"blending {len(tried.trials)} trials")
    once = tried.families if run.budget.kept_s > 0 else None  # fitted again, some on all rows
    trials = comparable(tried.trials)
    whole = frozenset(trial.key for trial in trials if _is_once(trial, once))
    judged = _Judged(run, trials, whole)
    with run.clock.stage("blend"):
        blend = _blend(judged)
    with run.clock.stage("calibration and threshold"):
        head, why = _head(judged, blend)
    members = tuple(
        chosen(
            tried,
            trial if trial.key in whole else with_models(trial, blend.models[trial.key]),
            blend.weights[trial.key],
        )
        for trial in trials
        if trial.key in blend.weights
    )
    return FittedModel(
        program=members_of(head, members),
        members=members,
        metric=run.metric,
        linear=_linear_baseline(tried.trials, run.rows.holdout.rows),
        leaderboard=leaderboard_rows(run.journal.trials(), blend.weights, run.metric),
        decisions=(*tried.decisions, blend.decision, *why),
    )


def chosen(tried: Tried, trial: Trial, weight: float) -> Chosen:
    """Return a trial as a member, with its encoders and the rows that parity compares."""
    features = tried.encodings.features(trial.recipe)
    return Chosen(
        trial=trial,
        encoders=tuple(encoder.blocks for encoder in features.encoders),
        proof_matrix=np.asarray(tried.study.proof_matrix(trial.recipe.matrix)),
        weight=weight,
    )


def comparable(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """Return the trials that are judged on the same rows: those with the most folds finished."""
    most = max(len(trial.folds) for trial in trials)
    numbers = next(
        [fold.number for fold in trial.folds] for trial in trials if len(trial.folds) == most
    )
    return tuple(t for t in trials if [fold.number for fold in t.folds] == numbers)


def _is_once(trial: Trial, families: Plugins[Family] | None) -> bool:
    """Tell whether one fit on all rows will take the place of one on each fold."""
    if families is None:
        return False
    return hasattr(families.load(trial.recipe.family), "on_all_rows")


def _blend(judged: _Judged) -> Blend:
    """Choose the weights, on as many rows as there is time for."""
    run, candidates = judged.run, judged.candidates()
    rows = run.journal.choose("rows of the blend", lambda: _affordable_rows(judged, candidates))
    return choose_blend(
        candidates,
        judged.y,
        judged.weight,
        run.metric,
        tiers_ns=TIERS_NS,
        seed=run.settings.seed,
        most_rows=rows,
    )


def _affordable_rows(judged: _Judged, candidates: Sequence[Candidate]) -> int:
    """Take the time of one look at the metric, and return the rows that all looks have time for."""
    metric, rows = judged.run.metric, min(len(judged.y), MOST_ROWS)
    one = as_scored(metric, candidates[0].prediction[:rows])
    began = time.monotonic()
    metric.function(judged.y[:rows], one, None)
    looks_s = (time.monotonic() - began) * (len(TIERS_NS) + 1) * STEPS * len(candidates)
    share = BLEND_SHARE * max(judged.run.spare_s(), 0.0) / max(looks_s, 1e-9)
    return MOST_ROWS if share >= 1.0 else max(FEWEST_ROWS, int(share * rows))


def _head(judged: _Judged, blend: Blend) -> tuple[Program, tuple[Decision, ...]]:
    """Choose calibration and threshold; the program has no members yet."""
    run, rows = judged.run, judged.run.rows
    head = Program(contract=rows.contract, members=())
    if rows.target.task == "regression":
        return head, ()
    mixed = mixed_of(judged.candidates(), blend.weights)
    calibration, why = _calibration(judged, mixed)
    for block in calibration:
        mixed = block.of(mixed)
    head = replace(head, calibration=calibration)
    if mixed.shape[1] != 1:
        return head, why
    threshold, because = choose_threshold(
        mixed[:, 0], judged.y, judged.weight, run.metric, run.settings.seed
    )
    return replace(head, threshold=threshold), (*why, because)


def mixed_of(candidates: Sequence[Candidate], weights: dict[str, float]) -> FloatMatrix:
    """Return the weighted mean of the out-of-fold answers, (n, t)."""
    shares = [one.prediction * weights[one.key] for one in candidates if one.key in weights]
    mixed: FloatMatrix = np.sum(shares, axis=0)
    return mixed


def _calibration(
    judged: _Judged, mixed: FloatMatrix
) -> tuple[tuple[Powers, ...], tuple[Decision, ...]]:
    """Choose a calibration, unless the time is short: an uncalibrated bundle is usable, too."""
    run = judged.run
    if not run.has_time("calibration", CALIBRATION_S * min(mixed.size, MOST_CALIBRATED)):
        reason = "There was no time to try one."
        return (), (Decision(subject="calibration", choice="none", reason=reason),)
    is_judged = judged.trials[0].judged()
    folds = run.rows.folds
    parts = tuple(fold for fold in folds.for_models() if is_judged[fold.judge].all())
    calibration, why = choose_calibration(
        mixed, judged.y, judged.weight, replace(folds, parts=parts)
    )
    return calibration, (why,)


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
