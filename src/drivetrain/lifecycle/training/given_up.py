"""What the choice gives up against the full ensemble, on rows that no choice has seen.

Both answer by the libraries' margins of the held-out rows, which are at hand; neither has seen
these rows. It is told, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivetrain.core.arrays import FloatMatrix
from drivetrain.lifecycle.training.mix import Pool
from drivetrain.lifecycle.training.settings import GivenUp
from drivetrain.search.blend_table import error_of
from drivetrain.search.fold_means import Answers
from drivetrain.search.shrink import Proposal
from drivetrain.search.trial import Trial, as_scored
from drivetrain.stats.intervals import paired_bootstrap
from drivetrain.stats.metrics import find_metric

RESAMPLES = 200


def given_up(pool: Pool, chosen: Proposal, full: Proposal) -> GivenUp | None:
    """Compare the choice with the full ensemble on the held-out rows; None where there are none."""
    run, trials = pool.run, pool.trials
    rows = min(run.rows.holdout.rows, len(next(iter(run.proof.held_out.values()))))
    if not rows:
        return None
    y, weight = run.rows.holdout.y[:rows], run.rows.holdout.weight
    weight = None if weight is None else weight[:rows]
    metric = find_metric("log_loss") if run.metric.needs == "label" else run.metric
    own, whole = (_answers(trials, each, rows) for each in (chosen, full))
    error, least = (error_of(metric, y, each, weight) for each in (own, whole))
    compared = paired_bootstrap(
        metric, y, as_scored(metric, whole), as_scored(metric, own),
        weight=weight, resamples=RESAMPLES, seed=run.settings.seed,
    )  # fmt: skip
    scale = least if least > 0 else 1.0
    return GivenUp(
        rows=rows,
        error=error,
        full_error=least,
        share=(error - least) / scale,
        low=compared.low / scale,
        high=compared.high / scale,
    )


def _answers(trials: Sequence[Trial], proposal: Proposal, rows: int) -> FloatMatrix:
    among = [trial for trial in trials if trial.key in proposal.weights]
    return Answers(among, proposal.weights, rows).of(proposal.folds)
