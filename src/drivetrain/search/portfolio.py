"""Which Recipes are tried, in which order, and on how many folds.

Every family in ``models/families/`` brings its own defaults, the best first. The portfolio deals
them out in rounds, the best default of each family before the second best of any, and within a
round the families in the order of what they are worth per second. A family that is new here is
tried after the known ones; one whose library is absent is left out and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivetrain.core.contract import Task
from drivetrain.core.errors import MissingLibraryError
from drivetrain.core.findings import Decision
from drivetrain.core.plugins import Plugins
from drivetrain.features.encoder import EncoderSpec
from drivetrain.models.family import Family, Shape, Space
from drivetrain.search.recipe import Encoding, Recipe
from drivetrain.search.target_map import TargetMap
from drivetrain.search.variants import Variant

# By accuracy per second of fitting, on the sets of benchmarks/accuracy. On few rows trees of
# single rows are worth their size, and on the fewest a perceptron is the best there is; on many
# rows it needs the most time of all.
_ORDER_TINY = ("lightgbm", "linear", "extra_trees", "mlp", "catboost", "xgboost")
_ORDER_SMALL = ("lightgbm", "linear", "catboost", "extra_trees", "mlp", "xgboost")
_ORDER_LARGE = ("lightgbm", "linear", "catboost", "xgboost", "extra_trees", "mlp")
TINY_ROWS, SMALL_ROWS = 5_000, 20_000
DERIVED = ("lightgbm", "catboost")  # families tried on features of two columns
# Families tried on transforms of the target; extra trees hardly gain from one.
MAPPED = ("lightgbm", "linear", "catboost", "mlp", "xgboost")
FIRST = "lightgbm"
FIRST_LOADED = ("lightgbm", "linear")  # while the table is read: they are first for every table

SMALL_CELLS = 2_000_000  # rows x columns from which a first model on a sample comes first
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


def plan_folds(rows: int, asked: int | None = None) -> FoldPlan:
    """Choose the folds by the number of training rows.

    More folds fit each model on more rows and cost more time. From 100,000 rows on, the rows are
    cut in eight but models are fitted on two of the folds only: each sees 7/8 of the rows, and two
    judged eighths are plenty.
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
    cut = 8 if rows < 10_000 else 5 if rows < 20_000 else 4 if rows < 50_000 else 3
    reason = (
        f"{rows:,} rows: every row is judged once by a model that has not seen it, and the "
        f"{cut} models of each candidate are averaged in the bundle."
    )
    return FoldPlan(cut, cut, _folds_decision(cut, cut, reason))


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
        if task in family.tasks:
            spaces.append((name, family.space(task, shape)))
    rounds = max((len(space.defaults) for _, space in spaces), default=0)
    drafts = [
        Draft(name, space.encoding, space.defaults[turn], seed, variant=variant)
        for turn in range(rounds)
        for name, space, variants in _turn(turn, spaces, words=words and turn == 0)
        for variant in variants
    ]
    drafts = _with_maps(drafts, maps)
    if drafts and shape.rows > SAMPLE_ROWS and shape.rows * shape.features > SMALL_CELLS:
        first = drafts[0]
        drafts.insert(0, Draft(first.family, first.encoding, first.parameters, seed, SAMPLE_ROWS))
    return Portfolio(tuple(drafts), dict(spaces), tuple(decisions))


def _order(rows: int) -> tuple[str, ...]:
    if rows <= TINY_ROWS:
        return _ORDER_TINY
    return _ORDER_SMALL if rows <= SMALL_ROWS else _ORDER_LARGE


def _with_maps(drafts: list[Draft], maps: Sequence[TargetMap]) -> list[Draft]:
    """Put each transformed target right behind the first plain trial of a family.

    The very first trial stays plain: it is the one that a run of no time ends with.
    """
    found: list[Draft] = []
    for number, draft in enumerate(drafts):
        found.append(draft)
        is_first = all(earlier.family != draft.family for earlier in drafts[:number])
        if draft.family in MAPPED and is_first:
            found += [replace(draft, target=one) for one in maps]
    return found


def _turn(
    turn: int, spaces: Sequence[tuple[str, Space]], *, words: bool
) -> Iterator[tuple[str, Space, tuple[Variant, ...]]]:
    """Give the families that have a default for this turn, each with the encodings it is tried on.

    The first family of trees is tried on all encodings: two that differ also blend well. Features
    of two columns are tried early: where they win, the families behind have them as well.
    """
    with_default = [(name, space) for name, space in spaces if turn < len(space.defaults)]
    derived = [one for one in with_default if one[0] in DERIVED and one[1].encoding == "trees"]
    for number, (name, space) in enumerate(with_default):
        both = name == FIRST and space.encoding == "trees"
        others: tuple[Variant, ...] = ("words", "values") if words else ("values",)
        yield name, space, ("planned", *others) if both else ("planned",)
        if turn == 0 and number == min(1, len(with_default) - 1):
            yield from ((name, space, ("derived",)) for name, space in derived if name == FIRST)
    if turn == 0:
        yield from ((name, space, ("derived",)) for name, space in derived if name != FIRST)


def _rank(name: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


def _absent(name: str, error: MissingLibraryError) -> Decision:
    return Decision(
        subject=f"family '{name}'",
        choice="left out",
        reason=f"It cannot be loaded: {error.expected}. {error.remedy}",
    )
