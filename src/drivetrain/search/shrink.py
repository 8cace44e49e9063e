"""Shrink by evidence: smaller models beside the full ensemble, and which of them ships.

Each is another fitted thing made of the same trials: fewer members, fewer of their folds' models,
or a student that has learned from the ensemble. What it costs is measured on its own graph; what it
gives up is told by its out-of-fold error. The cheapest that gives up next to nothing ships.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from drivetrain.core.findings import Decision
from drivetrain.search.blend_table import Blend

MARGIN = 0.0025  # share of the least error that the choice may have more,
WIDE_MARGIN = 0.02  # and that it may have more where nothing nearer is quick and small
ALIKE = 1.1  # costs whose difference is not worth any error
QUICK_US, QUICK_ROWS_PER_S, SMALL_BYTES = 1_000.0, 20_000.0, 50_000_000
FAST_MARGIN = 0.01  # that it may have more where that alone makes it fast
MOST_RISK = 0.02  # share of the full ensemble's error that the choice may well have more
FAST_US, FAST_ROWS_PER_S = 150.0, 100_000.0
ADMISSION_NS = 15_000.0  # of a row in a batch, beside its models: encoders, the reading of cells


@dataclass(frozen=True)
class Proposal:
    """One way to make the model: members with their weights, and how many models of each.

    ``error``, >= 0, is out of fold, with what the mean over folds brings; ``spread`` is the
    standard error of its difference to the full ensemble's; ``cost_ns`` is expected of a row in a
    batch on one core.
    """

    name: str
    weights: dict[str, float]
    folds: dict[str, int]
    error: float
    score: float
    cost_ns: float
    decision: Decision
    spread: float = 0.0

    @property
    def models(self) -> int:
        """Models in the graph."""
        return sum(self.folds.values())


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the front: a proposal, and what its own graph was measured to cost.

    ``worse`` is how much larger its error is than the least of all, as a share of it; ``risk`` is
    by how much it may well be larger than the full ensemble's: the difference and its standard
    error. The figures of a proposal that was not measured are None, and ``note`` says why.
    ``rows_per_s`` is by the wall clock, ``free_rows_per_s`` by the work that it took: what a
    machine does that has nothing else to do.
    """

    name: str
    members: int
    models: int
    score: float
    error: float
    worse: float
    expected_us: float
    risk: float = 0.0
    latency_us: float | None = None
    rows_per_s: float | None = None
    free_rows_per_s: float | None = None
    size_bytes: int | None = None
    is_on_front: bool = False
    is_chosen: bool = False
    note: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether its own graph was."""
        return self.latency_us is not None


@dataclass(frozen=True)
class Limits:
    """What the user allows; None where nothing was said."""

    max_latency_us: float | None = None
    max_size_mb: float | None = None
    min_rows_per_s: float | None = None

    def __bool__(self) -> bool:
        return any(one is not None for one in (self.max_latency_us, self.max_size_mb,
                                               self.min_rows_per_s))  # fmt: skip

    def excess(self, one: Measured) -> float:
        """Return by what factor the worst of the limits is missed: <= 1 where all are met."""
        if one.latency_us is None or one.rows_per_s is None or one.size_bytes is None:
            return float("inf")
        found = [0.0]
        if self.max_latency_us is not None:
            found.append(one.latency_us / self.max_latency_us)
        if self.max_size_mb is not None:
            found.append(one.size_bytes / 1e6 / self.max_size_mb)
        if self.min_rows_per_s is not None:
            found.append(self.min_rows_per_s / one.rows_per_s)
        return max(found)


def propose(
    blends: Sequence[tuple[str, Blend, Mapping[str, int]]],
    costs_ns: Mapping[str, Sequence[float]],
    gain: Callable[[Mapping[str, float], Mapping[str, int]], float],
    spread: Callable[[Mapping[str, float]], float],
) -> tuple[Proposal, ...]:
    """Make a proposal of each blend; equal ones are made once.

    Parameters
    ----------
    blends
        With their names, and how many models of each member are served.
    costs_ns
        Of each of a trial's folds' models, by the trial's key.
    gain
        From weights and folds to what the mean over folds takes off the error.
    spread
        From weights to the standard error of the difference to the full ensemble's error.
    """
    found: dict[tuple[object, ...], Proposal] = {}
    for name, blend, folds in blends:
        same = (*sorted(blend.weights.items()), *sorted(folds.items()))
        if same not in found:
            found[same] = Proposal(
                name=name,
                weights=blend.weights,
                folds=dict(folds),
                error=max(blend.error - gain(blend.weights, folds), 0.0),
                score=blend.score,
                cost_ns=sum(sum(costs_ns[key][:count]) for key, count in folds.items()),
                decision=blend.decision,
                spread=spread(blend.weights),
            )
    return tuple(found.values())


def expected(proposals: Sequence[Proposal], cores: int) -> tuple[Measured, ...]:
    """Return the proposals, the full ensemble first, as lines by what they are expected to cost."""
    least, full = min(one.error for one in proposals), proposals[0].error
    return tuple(
        Measured(
            name=one.name,
            members=len(one.weights),
            models=one.models,
            score=one.score,
            error=one.error,
            worse=one.error / least - 1.0 if least > 0 else float(one.error > 0),
            expected_us=one.cost_ns / 1000.0,
            risk=(one.error + one.spread - full) / full if full > 0 else 0.0,
            free_rows_per_s=_expected_rows_per_s(one.cost_ns / 1000.0, cores),
        )
        for one in proposals
    )


def as_found(lines: Sequence[Measured], cores: int) -> tuple[Measured, ...]:
    """Return the lines, the rows/s of those not measured as the measured ones let expect.

    What is expected holds for the usual machine and a usual table; the median of what the measured
    lines made of it is what this machine and this table are like.
    """
    found = [
        _free_rows_per_s(line) / _expected_rows_per_s(line.expected_us, cores)
        for line in lines
        if line.is_measured
    ]
    if not found:
        return tuple(lines)
    share = sorted(found)[len(found) // 2]
    return tuple(
        line
        if line.is_measured
        else msgspec.structs.replace(
            line, free_rows_per_s=share * _expected_rows_per_s(line.expected_us, cores)
        )
        for line in lines
    )


def to_measure(lines: Sequence[Measured], limits: Limits, cores: int) -> str | None:
    """Return the name of the line to measure next; None if no other is worth it.

    It is the one that would ship by what is known so far; once that one is measured, the full
    ensemble, then the cheapest of those whose error is near the least. One with a note was tried.
    """
    known = as_found(lines, cores)
    likely = _choose(known, known, Limits())
    near = sorted(known, key=lambda line: line.expected_us)
    order = (
        *(() if likely is None else (likely,)),
        known[0],
        *(line for line in near if limits or line.worse <= WIDE_MARGIN),
    )
    return next((line.name for line in order if not line.is_measured and not line.note), None)


def choose(lines: Sequence[Measured], limits: Limits) -> Measured | None:
    """Return the line to ship; None if no measured one is within the limits.

    Where any was measured, one of those ships. Among those within the limits: the cheapest whose
    error is at most 0.25 % larger than the least, if it is quick and small (a row in 1 ms, 20,000
    rows/s, 50 MB); else the best such that is at most 2 % worse; else, where nothing is quick, the
    cheapest of at most 1 %. If that one is not fast (a row in 150 µs, 100,000 rows/s) and one of at
    most 1 % is, the best of those. Without limits none is taken that may well be 2 % worse than
    the full ensemble, as long as another is quick and small.
    """
    return _choose(lines, [line for line in lines if line.is_measured] or lines, limits)


def _choose(
    lines: Sequence[Measured], candidates: Sequence[Measured], limits: Limits
) -> Measured | None:
    """Choose one of the candidates; what is near is told by the least error of all lines."""
    allowed = [line for line in candidates if not limits or limits.excess(line) <= 1.0]
    if not limits and any(is_quick(line) for line in allowed if line.risk <= MOST_RISK):
        allowed = [line for line in allowed if line.risk <= MOST_RISK]
        lines = [line for line in lines if line.risk <= MOST_RISK]
    if not allowed:
        return None
    least = min(line.error for line in (allowed if limits else lines))

    def near(margin: float) -> list[Measured]:
        return [line for line in allowed if line.error <= (1.0 + margin) * least]

    quick = [line for line in near(MARGIN) if is_quick(line)]
    wide = [line for line in near(WIDE_MARGIN) if is_quick(line)]
    fast = [line for line in near(FAST_MARGIN) if _is_fast(line)]
    if quick:
        found = _cheapest(quick)
    elif wide:
        found = min(wide, key=_error)
    elif few := near(FAST_MARGIN):
        found = _cheapest(few)
    else:
        found = min(allowed, key=_error)
    return found if limits or _is_fast(found) or not fast else min(fast, key=_error)


def _is_fast(line: Measured) -> bool:
    """Tell whether a line was measured to be as fast as most need, by the machine's own work."""
    if line.latency_us is None:
        return False
    return line.latency_us <= FAST_US and _free_rows_per_s(line) >= FAST_ROWS_PER_S


def _expected_rows_per_s(expected_us: float, cores: int) -> float:
    return 1e9 * cores / (1000.0 * expected_us + ADMISSION_NS)


def _free_rows_per_s(line: Measured) -> float:
    """Return the rows/s of a machine that does nothing else, > 0."""
    return max(line.rows_per_s or 0.0, line.free_rows_per_s or 0.0) or 1e-9


def _cheapest(lines: Sequence[Measured]) -> Measured:
    """Return the cheapest line, or one of less error that costs hardly more."""
    least = min(cost_of(line) for line in lines)
    most = (least[0], ALIKE * least[1])
    return min((line for line in lines if cost_of(line) <= most), key=_error)


def _error(line: Measured) -> float:
    return line.error


def is_quick(line: Measured) -> bool:
    """Tell whether a line is as quick and small as a model is expected to be unless told so."""
    return (
        (line.latency_us or 0.0) <= QUICK_US
        and _free_rows_per_s(line) >= QUICK_ROWS_PER_S
        and (line.size_bytes or 0) <= SMALL_BYTES
    )


def cost_of(line: Measured) -> tuple[bool, float]:
    """Return what to order lines by: time of a row alone times time of one in a batch.

    Lines that were not measured come behind those that were.
    """
    if line.latency_us is None:
        return True, line.expected_us
    return False, line.latency_us / _free_rows_per_s(line)


def with_front(lines: Sequence[Measured], chosen: str) -> tuple[Measured, ...]:
    """Mark the chosen line, and those that no other beats in error and cost alike."""
    marked = []
    for line in lines:
        cost = cost_of(line)
        beaten = any(
            other.error <= line.error and cost_of(other) <= cost and other.name != line.name
            and (other.error, cost_of(other)) != (line.error, cost)
            for other in lines
        )  # fmt: skip
        marked.append(
            msgspec.structs.replace(
                line,
                is_on_front=line.is_measured and not beaten,
                is_chosen=line.name == chosen,
            )
        )
    return tuple(sorted(marked, key=lambda line: line.error))
