"""The third stage of ``train``: blends of the trials, and a model of one of them.

There is a blend of all trials, the full ensemble, one for each of some costs, and what is left of
the full one as its members are dropped. ``shrink`` chooses.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.core.findings import Decision
from drivetrain.graph.blocks.powers import Powers
from drivetrain.graph.program import Program
from drivetrain.lifecycle.training.leaderboard import leaderboard_rows
from drivetrain.lifecycle.training.model import Chosen, FittedModel, members_of
from drivetrain.lifecycle.training.stages import Run
from drivetrain.lifecycle.training.tried import Tried
from drivetrain.search.blend import STEPS, best_blend, models_within, smaller_blends
from drivetrain.search.blend_table import MOST_ROWS, RESAMPLES, Blend, Candidate, Table
from drivetrain.search.calibrate import MOST_ROWS as MOST_CALIBRATED
from drivetrain.search.calibrate import choose_calibration
from drivetrain.search.cost import cost_ns
from drivetrain.search.journal import searched_entries
from drivetrain.search.shrink import Measured, Proposal
from drivetrain.search.threshold import choose_threshold
from drivetrain.search.trial import Trial, as_scored, with_models
from drivetrain.stats.metric import Metric
from drivetrain.stats.mixture import mixture

# One row in a batch may cost this much in models, on one core: with encoders and the reading of
# cells, two cores serve 100,000, 60,000 or 22,000 rows a second.
TIERS_NS = (65_000.0, 25_000.0, 11_000.0)
HALVES = (0.5, 0.25)  # of the full ensemble's cost, where that is
DEARER = 1.2  # times the dearest tier
FORESTS = 2  # folds' worth of trees in a forest of all rows, which replaces one for each fold
OF_A_FAMILY = 3  # trials of each family that are looked at, the best ones,
MOST_CANDIDATES = 20  # and in all
BLEND_SHARE = 0.3  # of the seconds that are left when the search is over
FEWEST_ROWS = 1_000  # to choose a blend on, however short the time
CALIBRATION_S = 2e-5  # that a calibration takes for each probability


@dataclass(frozen=True)
class Pool:
    """The trials that can be compared, their out-of-fold answers, and the truth of those rows."""

    run: Run
    tried: Tried
    student: Trial | None = None

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Those with the most folds finished, judged on the same rows: the most promising.

        A student comes beside them, and takes none's place.
        """
        found = promising(comparable(self.tried.trials), self.run.metric)
        return found if self.student is None else (*found, self.student)

    @cached_property
    def costs_ns(self) -> dict[str, tuple[float, ...]]:
        """What each model costs that may be served of a trial, for a row in a batch."""
        costs = {t.key: tuple(cost_ns(f.blocks) for f in t.folds) for t in self.trials}
        once = [trial.key for trial in self.trials if self._is_once(trial)]
        return costs | {key: costs[key][:FORESTS] for key in once}

    @property
    def y(self) -> FloatVector:
        """Targets of the judged rows."""
        return self.run.rows.training.y[self.trials[0].judged()]

    @property
    def weight(self) -> FloatVector | None:
        """Weights of the judged rows."""
        weight = self.run.rows.training.weight
        return None if weight is None else weight[self.trials[0].judged()]

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """The trials as a blend sees them."""
        judged = self.trials[0].judged()
        costs = self.costs_ns
        return tuple(
            Candidate(
                trial.key, trial.prediction[judged], sum(costs[trial.key]), len(costs[trial.key])
            )
            for trial in self.trials
        )

    def table(self, most_rows: int = MOST_ROWS) -> Table:
        """Return what blends are chosen by, on so many rows."""
        data = (self.candidates, self.y, self.weight, self.run.metric)
        return Table(*data, seed=self.run.settings.seed, most_rows=most_rows)

    def mean(self, weights: Mapping[str, float]) -> FloatMatrix:
        """Return a blend's out-of-fold answers, (n, t)."""
        return mixture((c.prediction, weights[c.key]) for c in self.candidates if c.key in weights)

    def _is_once(self, trial: Trial) -> bool:
        """Tell whether one fit on all rows will take the place of one on each fold."""
        family = self.tried.families.load(trial.recipe.family)
        return self.run.budget.kept_s > 0 and hasattr(family, "on_all_rows")


def blends_of(pool: Pool) -> list[tuple[str, Blend, dict[str, int]]]:
    """Make the blends, with their names and how many models of each member are served.

    The full ensemble, with all of its models, is the first.
    """
    run = pool.run
    run.reporter.say("search", f"blending {len(pool.trials)} trials")
    rows = run.journal.choose("rows of the blend", lambda: _affordable_rows(pool))
    table = pool.table(rows)
    best = partial(best_blend, table)
    full = best(most_ns=float("inf"))
    fewer = smaller_blends(full, table)
    named = [("full ensemble", full, float("inf"))]
    whole_ns = sum(one.cost_ns for one in pool.candidates if one.key in full.weights)
    parts = [share * whole_ns for share in HALVES]
    dear = [most_ns for most_ns in parts if most_ns > DEARER * TIERS_NS[0]]
    named += [(f"full ensemble at {one / 1000:.0f} µs a row", full, one) for one in dear]
    for most_ns in TIERS_NS:
        told = f"{most_ns / 1000:.0f} µs a row"
        named.append((f"full ensemble at {told}", full, most_ns))
        named.append((f"best at {told}", best(most_ns=most_ns, whole=False), most_ns))
        named.append((f"best whole at {told}", best(most_ns=most_ns), most_ns))
    for blend in fewer:
        left = f"{len(blend.weights)} of its {len(full.weights)} members"
        named.append((left, blend, TIERS_NS[0]))
    named.append((f"{named[-1][0]}, one model", named[-1][1], 0.0))
    return [(name, blend, _models(pool, blend, most_ns)) for name, blend, most_ns in named]


def _models(pool: Pool, blend: Blend, most_ns: float) -> dict[str, int]:
    """Return how many models are served of each member: one at least."""
    found = models_within(blend, pool.candidates, most_ns)
    return dict.fromkeys(blend.weights, 1) if found is None else found


def fitted_of(pool: Pool, proposal: Proposal, front: tuple[Measured, ...] = ()) -> FittedModel:
    """Make the model of a proposal: with its own calibration and threshold if it is to ship.

    Parameters
    ----------
    front
        What it was chosen from; without one, the model is only to be measured.
    """
    run, rows = pool.run, pool.run.rows
    head = Program(contract=rows.contract, members=())
    why: tuple[Decision, ...] = ()
    if front:
        with run.clock.stage("calibration and threshold"):
            head, why = _head(pool, proposal)
    members = tuple(
        _member(pool.tried, trial, proposal)
        for trial in pool.trials
        if trial.key in proposal.weights
    )
    return FittedModel(
        program=members_of(head, members),
        members=members,
        metric=run.metric,
        linear=_linear_baseline(pool.tried.trials, rows.holdout.rows),
        leaderboard=leaderboard_rows(
            searched_entries(run.journal.entries), proposal.weights, run.metric
        ),
        front=front,
        given_up=None,
        teacher=None,
        decisions=(*pool.tried.decisions, proposal.decision, *why),
    )


def _member(tried: Tried, trial: Trial, proposal: Proposal) -> Chosen:
    """Return a trial as a member, with its encoders and the rows that parity compares."""
    features = tried.encodings.features(trial.recipe)
    return Chosen(
        recipe=trial.recipe,
        trial=with_models(trial, proposal.folds[trial.key]),
        encoders=tuple(encoder.blocks for encoder in features.encoders),
        proof_matrix=np.asarray(tried.study.proof_matrix(trial.recipe.matrix)),
        weight=proposal.weights[trial.key],
    )


def promising(trials: tuple[Trial, ...], metric: Metric) -> tuple[Trial, ...]:
    """Return the best trials of each family, then the best of the others, up to a number.

    The more a blend looks at, the more of them are good by luck alone, and the longer it takes.
    """
    ranked = sorted(trials, key=lambda trial: (np.isnan(trial.score), -metric.gain(trial.score)))
    of_family: dict[str, int] = {}
    first: list[Trial] = []
    rest: list[Trial] = []
    for trial in ranked:
        family = trial.recipe.family
        of_family[family] = of_family.get(family, 0) + 1
        (first if of_family[family] <= OF_A_FAMILY else rest).append(trial)
    return tuple([*first, *rest][: max(MOST_CANDIDATES, len(first))])


def comparable(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
    """Return the trials that are judged on the same rows: those with the most folds finished."""
    most = max(len(trial.folds) for trial in trials)
    numbers = next(
        [fold.number for fold in trial.folds] for trial in trials if len(trial.folds) == most
    )
    return tuple(t for t in trials if [fold.number for fold in t.folds] == numbers)


def _affordable_rows(pool: Pool) -> int:
    """Take the time of one look at the metric, and return the rows that all looks have time for."""
    metric, rows = pool.run.metric, min(len(pool.y), MOST_ROWS)
    one = as_scored(metric, pool.candidates[0].prediction[:rows])
    began = time.monotonic()
    metric.function(pool.y[:rows], one, None)
    looks = (1 + 2 * len(TIERS_NS)) * (2 * STEPS * len(pool.candidates) + 2 * RESAMPLES)
    looks_s = max(time.monotonic() - began, 1e-6) * looks
    share = BLEND_SHARE * max(pool.run.spare_s(), 0.0) / looks_s
    return MOST_ROWS if share >= 1.0 else max(FEWEST_ROWS, int(share * rows))


def _head(pool: Pool, proposal: Proposal) -> tuple[Program, tuple[Decision, ...]]:
    """Choose calibration and threshold; the program has no members yet."""
    run, rows = pool.run, pool.run.rows
    head = Program(contract=rows.contract, members=())
    if rows.target.task == "regression":
        return head, ()
    mixed = pool.mean(proposal.weights)
    calibration, why = _calibration(pool, mixed)
    for block in calibration:
        mixed = block.of(mixed)
    head = replace(head, calibration=calibration)
    if mixed.shape[1] != 1:
        return head, why
    threshold, because = choose_threshold(
        mixed[:, 0], pool.y, pool.weight, run.metric, run.settings.seed
    )
    return replace(head, threshold=threshold), (*why, because)


def _calibration(pool: Pool, mixed: FloatMatrix) -> tuple[tuple[Powers, ...], tuple[Decision, ...]]:
    """Choose a calibration, unless the time is short: an uncalibrated bundle is usable, too."""
    run = pool.run
    if not run.has_time("calibration", CALIBRATION_S * min(mixed.size, MOST_CALIBRATED)):
        reason = "There was no time to try one."
        return (), (Decision(subject="calibration", choice="none", reason=reason),)
    is_judged = pool.trials[0].judged()
    folds = run.rows.folds
    parts = tuple(fold for fold in folds.for_models() if is_judged[fold.judge].all())
    calibration, why = choose_calibration(mixed, pool.y, pool.weight, replace(folds, parts=parts))
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
