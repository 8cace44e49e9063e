"""What a drift test is: it compares the sketch of a window with that of the reference.

A test that *decides* gives a p-value, which depends on the number of rows on both sides, and an
effect, which does not; a window has drifted only where the p-value stands among all tests of the
window and the effect is above the test's floor. So neither a million rows with a meaningless
difference nor fifty rows with a chance one are drift. Other tests only show a measure that people
know from elsewhere.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.core.plugins import Plugins
from drivetrain.monitor.joint import JointReference
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.joint_sketch import JointSketch
from drivetrain.stats.sketch import ColumnSketch, Cuts, Levels

Shape: TypeAlias = Literal["cuts", "levels", "joint"]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one test found for one subject.

    ``effect`` is the size of the difference, what chance alone gives taken off where the test can;
    ``expected`` is what chance alone gives; ``columns`` are those it names beside the subject.
    """

    effect: float
    p_value: float | None = None
    expected: float = 0.0
    words: str = ""
    columns: tuple[str, ...] = ()


class DriftTest(Protocol):
    """One drift test of a column, an answer or the target.

    Attributes
    ----------
    shapes
        Kinds of bins it reads: ``"cuts"`` of numbers, ``"levels"`` of texts.
    decides
        Whether it says that there is drift, or only shows a measure.
    floor
        Effects below are of no matter.
    """

    shapes: tuple[Shape, ...]
    decides: bool
    floor: float

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare; None where there is nothing to compare."""
        ...


class JointTest(Protocol):
    """One drift test of how columns move together; ``shapes`` is ``("joint",)``."""

    shapes: tuple[Shape, ...]
    decides: bool
    floor: float

    def run(self, reference: JointReference, window: JointSketch) -> Measured | None:
        """Compare; None where there is nothing to compare."""
        ...


DRIFT_TESTS: Plugins[DriftTest | JointTest] = Plugins("drivetrain.monitor.drift", "drift")

FEWEST_EXPECTED = 5.0  # rows in a bin below which the chi-square distribution is off


def shape_of(subject: SubjectReference) -> Shape:
    """Return the kind of bins a subject has."""
    return "levels" if isinstance(subject.bins, Levels) else "cuts"


def is_timeless(subject: SubjectReference) -> bool:
    """Say whether a subject's values may be compared: a datetime moves on by itself."""
    return subject.kind != "datetime"


def pooled_counts(
    reference: SubjectReference, window: ColumnSketch
) -> tuple[FloatVector, FloatVector] | None:
    """Return counts of both sides over bins joined until each expects five rows on either side.

    Neighbours are joined for numbers, the rarest for texts. None with fewer than two bins left, or
    without rows on a side.
    """
    was = np.array(reference.sketch.counts, dtype=np.float64)
    now = np.array(window.counts, dtype=np.float64)
    smaller = min(was.sum(), now.sum())
    if smaller <= 0 or len(was) < 2:
        return None
    pooled = (was + now) / (was.sum() + now.sum()) * smaller
    ordered = isinstance(reference.bins, Cuts)
    order = np.arange(len(was)) if ordered else np.argsort(pooled, kind="stable")
    group = np.zeros(len(was), dtype=np.int64)
    current, filled = 0, 0.0
    for place in order:
        group[place] = current
        filled += pooled[place]
        if filled >= FEWEST_EXPECTED:
            current, filled = current + 1, 0.0
    if filled and current:  # the last group is too small: it joins the one before
        group[group == current] = current - 1
    groups = int(group.max()) + 1
    if groups < 2:
        return None
    return (
        np.bincount(group, weights=was, minlength=groups).astype(np.float64),
        np.bincount(group, weights=now, minlength=groups).astype(np.float64),
    )
