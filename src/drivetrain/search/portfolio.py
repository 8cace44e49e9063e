"""Which Recipes are tried, in which order, and on how many folds.

Every family in ``models/families/`` brings its own defaults, the best first. The portfolio deals
them out in rounds, the best default of each family before the second best of any, and within a
round the families in the order of what they are worth per second. A family that is new here is
tried after the known ones; one whose library is absent is left out and named.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivetrain.core.contract import Task
from drivetrain.core.errors import MissingLibraryError
from drivetrain.core.findings import Decision
from drivetrain.core.plugins import Plugins
from drivetrain.features.encoder import EncoderSpec
from drivetrain.models.family import Family, Shape, Space
from drivetrain.search.journal import Journal
from drivetrain.search.recipe import Encoding, Recipe
from drivetrain.search.target_map import TargetMap
from drivetrain.search.variants import Variant

# By accuracy per second of fitting, on the sets of benchmarks/accuracy. On few rows trees of
# single rows are worth their size, and on the fewest nets come before a third boosting; on many
# rows they need the most time of all.
_ORDER_TINY = (
    "lightgbm", "linear", "random_forest", "extra_trees", "catboost", "tabm", "mlp", "xgboost",
)  # fmt: skip
_ORDER_SMALL = ("lightgbm", "linear", "catboost", "extra_trees", "tabm", "mlp", "xgboost")
_ORDER_LARGE = ("lightgbm", "linear", "catboost", "xgboost", "extra_trees", "tabm", "mlp")
TINY_ROWS, SMALL_ROWS = 5_000, 20_000
FOR_TINY = ("random_forest",)  # on more rows boosting is better, and a forest large
DERIVED = ("lightgbm", "catboost")  # families tried on features of two columns
# Families tried on transforms of the target; extra trees hardly gain from one.
MAPPED = ("lightgbm", "linear", "catboost", "tabm", "mlp", "xgboost")
FIRST = "lightgbm"
LINEAR = "linear"
BENT = (LINEAR, "tabm")  # families tried on curves of numbers as well; other nets follow TabM
EARLY, FEW_ROWS = 2, 10_000  # defaults of the first family in the first turn, up to so many rows
_WORDS: tuple[Variant, ...] = ("words", "values")
_NO_WORDS: tuple[Variant, ...] = ("values",)
FIRST_LOADED = ("lightgbm", "linear")  # while the table is read: they are first for every table

MOST_FOLDS = ((20.0, 4), (60.0, 5))  # in runs of fewer seconds

SMALL_CELLS = 2_000_000  # rows x columns from which families race on a sample first
SAMPLE_ROWS = 20_000


@dataclass(frozen=True)
class Draft:
    """A Recipe before its encoders are fitted."""

    family: str
    encoding: Encoding
    parameters: Mapping[str, Any]
    seed: int
    sample: int | None = None
    variant: Variant = "planned"
    encoders: tuple[EncoderSpec, ...] | None = None  # of a trial that is varied; None: planned
    target: TargetMap | None = None
    teacher: str | None = None

    @classmethod
    def again(
        cls, recipe: Recipe, *, parameters: Mapping[str, Any] | None = None, seed: int | None = None
    ) -> Draft:
        """Return the draft of a Recipe, with other parameters or another seed where given."""
        return cls(
            family=recipe.family,
            encoding=recipe.encoding,
            parameters=recipe.parameters if parameters is None else parameters,
            seed=recipe.seed if seed is None else seed,
            sample=recipe.sample,
            encoders=recipe.encoders,
            target=recipe.target,
            teacher=recipe.teacher,
        )


@dataclass(frozen=True)
class Portfolio:
    """The candidates in the order in which they are tried, and the families' spaces."""

    drafts: tuple[Draft, ...]
    spaces: dict[str, Space]
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class FoldPlan:
    """Into how many folds the rows are cut, and how many of them models are fitted on."""

    cut: int
    fitted: int
    decision: Decision


def plan_folds(rows: int, asked: int | None = None, *, limit_s: float = math.inf) -> FoldPlan:
    """Choose the folds by the number of training rows and the time limit of the run.

    More folds fit each model on more rows and cost more time: in a short run another candidate is
    worth more than the eighth fold of each. From 100,000 rows on, the rows are cut in eight but
    models are fitted on two of the folds only: each sees 7/8 of the rows, and two judged eighths
    are plenty.
    """
    if asked is not None:
        return FoldPlan(
            asked, asked, _folds_decision(asked, asked, f"folds={asked} was asked for.")
        )
    if rows > 100_000:
        reason = (
            f"{rows:,} rows: each of two models sees 7/8 of them, and the two eighths that judge "
            "are enough to tell candidates apart; more folds would cost more than they bring."
        )
        return FoldPlan(8, 2, _folds_decision(8, 2, reason))
    most = next((most for seconds, most in MOST_FOLDS if limit_s < seconds), 8)
    cut = min(most, 8 if rows < 10_000 else 5 if rows < 20_000 else 4 if rows < 50_000 else 3)
    is_short = most == cut < 8
    why = f": in {limit_s:g} s more candidates are worth more than more folds" if is_short else ""
    reason = (
        f"{rows:,} rows: every row is judged once by a model that has not seen it, and the "
        f"{cut} models of each candidate are averaged in the bundle{why}."
    )
    return FoldPlan(cut, cut, _folds_decision(cut, cut, reason))


def kept_folds(planned: FoldPlan, journal: Journal) -> FoldPlan:
    """Return the folds of the journal's trials: a run that is gone on with keeps those it had."""
    cut, fitted = journal.keep("folds", lambda: [planned.cut, planned.fitted])
    if (cut, fitted) == (planned.cut, planned.fitted):
        return planned
    reason = "The run that is gone on with has them, and its trials are kept."
    return FoldPlan(cut, fitted, _folds_decision(cut, fitted, reason))


def _folds_decision(cut: int, fitted: int, reason: str) -> Decision:
    choice = f"{cut} folds" if cut == fitted else f"{cut} folds, {fitted} of them fitted"
    return Decision(subject="folds", choice=choice, reason=reason)


def plan_portfolio(
    families: Plugins[Family],
    task: Task,
    shape: Shape,
    *,
    seed: int,
    maps: Sequence[TargetMap] = (),
    words: bool = False,
) -> Portfolio:
    """List the candidates in the order in which they are tried.

    Parameters
    ----------
    shape
        Training rows, input columns, classes.
    maps
        Transforms of the target that are worth a trial of the families in ``MAPPED``.
    words
        Whether there are categories whose names share words.
    """
    spaces = []
    decisions = []
    order = _order(shape.rows)
    for name in sorted(families.names(), key=lambda name: _rank(name, order)):
        try:
            family = families.load(name)
        except MissingLibraryError as error:
            decisions.append(_absent(name, error))
            continue
        if task in family.tasks and (name not in FOR_TINY or shape.rows <= TINY_ROWS):
            spaces.append((name, family.space(task, shape)))
    rounds = max((len(space.defaults) for _, space in spaces), default=0)
    early = EARLY if shape.rows <= FEW_ROWS else 1
    drafts = [
        draft
        for turn in range(rounds)
        for draft in _turn(turn, spaces, seed, words=words, early=early)
    ]
    drafts = _with_maps(drafts, maps)
    if shape.rows > SAMPLE_ROWS and shape.rows * shape.features > SMALL_CELLS:
        heats = _heats(drafts)  # the first family's on all rows before those of the others
        drafts = [*heats[:1], *drafts[:1], *heats[1:], *drafts[1:]]
    return Portfolio(tuple(drafts), dict(spaces), tuple(decisions))


def _heats(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the first draft of each family, on a sample: see :func:`settled.lost_on_a_sample`."""
    firsts: dict[str, Draft] = {}
    for draft in drafts:
        firsts.setdefault(draft.family, replace(draft, sample=SAMPLE_ROWS))
    return list(firsts.values())


def _order(rows: int) -> tuple[str, ...]:
    if rows <= TINY_ROWS:
        return _ORDER_TINY
    return _ORDER_SMALL if rows <= SMALL_ROWS else _ORDER_LARGE


def _with_maps(drafts: list[Draft], maps: Sequence[TargetMap]) -> list[Draft]:
    """Put each transformed target right behind the first plain trial of a family.

    Linear models are so quick that they are tried on each with curves too.

    The very first trial stays plain: it is the one that a run of no time ends with.
    """
    found: list[Draft] = []
    for number, draft in enumerate(drafts):
        found.append(draft)
        is_first = all(earlier.family != draft.family for earlier in drafts[:number])
        is_bent = draft.family == LINEAR and draft.variant == "splines"
        if draft.family in MAPPED and (is_first or is_bent):
            found += [replace(draft, target=one) for one in maps]
    return found


def _turn(
    turn: int, spaces: Sequence[tuple[str, Space]], seed: int, *, words: bool, early: int
) -> Iterator[Draft]:
    """Give each family's default of this turn; the first family has ``early`` in the first turn.

    Its first two differ the most, and two that differ blend well; on many rows
    they take too long. The very first is also tried on other encodings, and on features of two
    columns early: where these win, the families behind have them as well.
    """
    for number, (name, space) in enumerate(spaces):
        ahead = early - 1 if name == FIRST else 0
        place, count = (0, 1 + ahead) if turn == 0 else (turn + ahead, 1)
        defaults = space.defaults[place : place + count]
        yield from (Draft(name, space.encoding, parameters, seed) for parameters in defaults)
        if turn > 0 or not defaults:
            continue
        first = Draft(name, space.encoding, space.defaults[0], seed)
        if name in BENT:
            yield replace(first, variant="splines")
        if name == FIRST and space.encoding == "trees":
            yield from (replace(first, variant=one) for one in (_WORDS if words else _NO_WORDS))
        if number == min(1, len(spaces) - 1):
            yield from _derived(spaces, seed, first=True)
    if turn == 0:
        yield from _derived(spaces, seed, first=False)


def _derived(spaces: Sequence[tuple[str, Space]], seed: int, *, first: bool) -> Iterator[Draft]:
    """Give trials on features of two columns: of the first family, or of the others."""
    for name, space in spaces:
        is_trees = space.encoding == "trees" and bool(space.defaults)
        if name in DERIVED and is_trees and (name == FIRST) == first:
            yield Draft(name, space.encoding, space.defaults[0], seed, variant="derived")


def _rank(name: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


def _absent(name: str, error: MissingLibraryError) -> Decision:
    return Decision(
        subject=f"family '{name}'",
        choice="left out",
        reason=f"It cannot be loaded: {error.expected}. {error.remedy}",
    )
