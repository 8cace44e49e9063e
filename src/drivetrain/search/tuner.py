"""After the portfolio: new parameters around what did best, as long as there is time.

Families take turns by how well they did. Within a family, Optuna's tree-structured Parzen
estimator (Bergstra et al., NeurIPS 2011) proposes the next parameters from the scores so far. It
is asked anew each time with all finished trials, so a resumed run goes on with what it knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from drivetrain.models.family import Range, Space
from drivetrain.search.portfolio import Draft
from drivetrain.search.trial import Trial
from drivetrain.stats.metrics import Metric

TURNS = (0.5, 0.3, 0.2)  # how often the best, second and third family is tuned
STARTED = 3  # trials of a family before the estimator is believed
PATIENCE = 8  # proposals in a row that end in no trial: there is no time for another
# The more candidates, the likelier one is good on the validation rows by luck alone.
MOST_TRIALS = ((500, 12), (2_500, 24), (10_000, 40))  # up to so many rows; past them no limit


@dataclass(frozen=True)
class Tuner:
    """Proposes drafts around the best trials.

    Parameters
    ----------
    spaces
        Families that may be tuned, by name.
    rows
        Training rows, which limit how many candidates may be compared.
    """

    spaces: Mapping[str, Space]
    metric: Metric
    rows: int
    seed: int

    def drafts(self, finished: Callable[[], Sequence[Trial]]) -> Iterator[Draft]:
        """Give drafts until enough candidates were compared.

        Parameters
        ----------
        finished
            Tells the trials that are finished by now.
        """
        number = unanswered = known = 0
        while len(finished()) < self._most() and unanswered < PATIENCE:
            number += 1
            unanswered = unanswered + 1 if len(finished()) == known else 0
            known = len(finished())
            family = self._family(finished(), number)
            if family is None:
                return
            yield self._draft(finished(), family, number)

    def _most(self) -> int:
        return next((most for rows, most in MOST_TRIALS if self.rows <= rows), 1000)

    def _family(self, trials: Sequence[Trial], number: int) -> str | None:
        best: dict[str, float] = {}
        for trial in trials:
            name = trial.recipe.family
            if self.spaces.get(name) and self.spaces[name].ranges and math.isfinite(trial.score):
                best[name] = max(best.get(name, -math.inf), self.metric.gain(trial.score))
        ranked = sorted(best, key=lambda name: (-best[name], name))[: len(TURNS)]
        if not ranked:
            return None
        turns = np.array(TURNS[: len(ranked)])
        random = np.random.default_rng([self.seed, number])
        return str(random.choice(ranked, p=turns / turns.sum()))

    def _draft(self, trials: Sequence[Trial], family: str, number: int) -> Draft:
        space = self.spaces[family]
        done = [trial for trial in trials if trial.recipe.family == family]
        best = max(done, key=lambda trial: self.metric.gain(trial.score))
        asked = _ask(space.ranges, done, self.metric, seed=self.seed + number)
        parameters = {**best.recipe.parameters, **asked}
        draft = Draft.again(best.recipe, parameters=parameters, seed=self.seed + number)
        return replace(draft, sample=None)


def _ask(
    ranges: Mapping[str, Range], done: Sequence[Trial], metric: Metric, *, seed: int
) -> dict[str, Any]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {name: _distribution(one) for name, one in ranges.items()}
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTED, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in done:
        known = {name: trial.recipe.parameters.get(name) for name in distributions}
        if all(_holds(distributions[name], value) for name, value in known.items()):
            study.add_trial(
                optuna.trial.create_trial(
                    params=known, distributions=distributions, value=metric.gain(trial.score)
                )
            )
    return dict(study.ask(distributions).params)


def _distribution(one: Range) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if one.choices:
        return CategoricalDistribution(list(one.choices))
    low, high = one.low or 0.0, one.high or 0.0
    if one.integer:
        return IntDistribution(int(low), int(high), log=one.log)
    return FloatDistribution(low, high, log=one.log)


def _holds(distribution: Any, value: Any) -> bool:
    if value is None:
        return False
    if hasattr(distribution, "choices"):
        return value in distribution.choices
    return bool(distribution.low <= value <= distribution.high)
