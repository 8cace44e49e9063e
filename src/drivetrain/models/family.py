"""The family contract: how a kind of model is searched, fitted and turned into blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block

Link: TypeAlias = Literal["identity", "sigmoid", "softmax"]


@dataclass(frozen=True)
class Shape:
    """Size of the matrix a family is asked to learn from."""

    rows: int
    features: int
    classes: int = 0


@dataclass(frozen=True)
class Range:
    """One tunable parameter: numbers from ``low`` to ``high``, or ``choices``."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Space:
    """Good defaults first, the best of them first; then the ranges around them.

    ``encoding`` says what features the family wants: ``"trees"`` (raw scale, NaN kept, target
    encodings) or ``"linear"`` (centred, scaled, filled, one-hot).
    """

    defaults: tuple[dict[str, Any], ...]
    ranges: dict[str, Range] = field(default_factory=dict)
    encoding: Literal["trees", "linear"] = "trees"


@dataclass(frozen=True)
class Validation:
    """Rows to stop early on; their targets are never fitted on."""

    X: Features
    y: FloatVector
    weight: FloatVector | None = None


@dataclass(frozen=True)
class Budget:
    """What one fit may use; ``remaining_s`` is asked between iterations.

    A fit that lets the clock decide something goes through :meth:`choose` or :meth:`stops`: what
    they decide is written down in ``choices``, and made again when a run is replayed.

    Attributes
    ----------
    replayed
        The choices of the fit that is made again; None where the clock decides.
    """

    remaining_s: Callable[[], float]
    threads: int = 1
    replayed: Mapping[str, float] | None = None
    choices: dict[str, float] = field(default_factory=dict)

    def choose(self, name: str, by_clock: Callable[[], float]) -> float:
        """Return the number that the clock chooses, or that it chose in the fit made again.

        Examples
        --------
        >>> Budget(lambda: 9.0, replayed={"epochs": 3.0}).choose("epochs", lambda: 7.0)
        3.0
        """
        value = by_clock() if self.replayed is None else self.replayed[name]
        self.choices[name] = value
        return value

    def stops(self, name: str, step: int, by_clock: Callable[[], bool]) -> bool:
        """Tell whether a loop ends after ``step``: by the clock, or where it ended before."""
        if self.replayed is None:
            is_over = by_clock()
        else:
            is_over = step >= self.replayed.get(name, float("inf"))
        if is_over:
            self.choices[name] = float(step)
        return is_over


class Fitted(Protocol):
    """A fitted model."""

    @property
    def link(self) -> Link:
        """From margin to prediction or probability."""

    @property
    def details(self) -> dict[str, Any]:
        """Trees grown, iterations: for the leaderboard."""

    def predict(self, X: Features) -> FloatMatrix:
        """Return the library's own answer on the margin scale, float64 (n, t), for parity.

        t is 1 for binary and regression, K for multiclass. With link ``identity`` in a
        classification the margin already is a probability.
        """
        ...

    def blocks(self) -> tuple[Block, ...]:
        """Blocks that read ``X`` (FLOAT [N, k]) and write ``margin`` (DOUBLE [N, t])."""
        ...


class Family(Protocol):
    """One file in ``models/families/``, its object called ``family``.

    It may also have ``libraries``, names of the modules that ``fit`` imports: worker processes
    then import them once, and not for every fit; and ``does_without``, modules that those
    libraries would import where they are installed, and ``fit`` has no use for. A family that has
    no use for validation rows has ``on_all_rows(parameters, size_bytes)``: the parameters with
    which one fit on all rows takes the place of one fit on each fold, whose graph has so many
    bytes. One that only counts rounds by them has ``in_rounds(parameters, rounds)``: the parameters
    of a fit of so many rounds, whatever it watches; its ``details`` then tell ``rounds``.
    """

    tasks: tuple[Task, ...]

    def space(self, task: Task, shape: Shape) -> Space:
        """Return the family's defaults and ranges for a table of this shape."""
        ...

    def fit(
        self,
        X: Features,
        y: FloatVector,
        *,
        task: Task,
        classes: int,
        metric: str,
        weight: FloatVector | None,
        validation: Validation | None,
        parameters: dict[str, Any],
        budget: Budget,
        seed: int,
    ) -> Fitted:
        """Fit on rows ``X`` (n, k) and targets ``y`` (n,): class numbers or values.

        Must return before ``budget.remaining_s()`` reaches 0, with what it has by then.
        """
        ...
