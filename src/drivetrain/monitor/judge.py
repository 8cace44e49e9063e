"""Run every drift test on a window, and believe few.

All deciding tests of a window, over all its columns and answers, are looked at together
(Benjamini-Hochberg); an effect under the test's floor is of no matter however sure; and what is
found must be found in two of three windows before it is reported as drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from drivetrain.monitor.drift_test import (
    DRIFT_TESTS,
    DriftTest,
    JointTest,
    Measured,
    shape_of,
)
from drivetrain.monitor.losses import slot_shares
from drivetrain.monitor.reference import Reference, SubjectReference
from drivetrain.monitor.subjects import Subject
from drivetrain.monitor.window import WindowSketch
from drivetrain.stats.p_values import benjamini_hochberg
from drivetrain.stats.sketch import ColumnSketch

JOINT = "joint"
RATE = 0.01
WINDOWS, NEEDED = 3, 2  # found in NEEDED of the last WINDOWS is drift


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one test says of one subject in one window.

    ``impact`` is how far the shift alone would move the model's mean answer, in standard
    deviations of the answer: the order of the diagnosis.
    """

    test: str
    subject: str
    about: Subject | str  # "column", "output", "target" or "joint"
    measured: Measured
    decides: bool
    found: bool = False
    impact: float = 0.0


def run_tests(
    reference: Reference, window: WindowSketch, *, rate: float = RATE
) -> tuple[Result, ...]:
    """Run all tests on a window.

    Parameters
    ----------
    rate
        Share of false ones among what is found, at most.
    """
    loaded = DRIFT_TESTS.load_all()
    results = []
    for about, subject, sketch in _subjects(reference, window):
        impact = impact_of(subject, sketch)
        for name, test in loaded.items():
            if shape_of(subject) in test.shapes:
                results.append(_run(name, test, subject, sketch, about=about, impact=impact))
    for name, test in loaded.items():
        if "joint" in test.shapes:
            results.append(_run(name, test, reference.joint, window.joint, about=JOINT, impact=0.0))
    return _believed([r for r in results if r is not None], loaded, rate)


def _subjects(
    reference: Reference, window: WindowSketch
) -> list[tuple[Subject, SubjectReference, ColumnSketch]]:
    listed: list[tuple[Subject, SubjectReference, ColumnSketch]] = []
    for subject in reference.columns:
        if subject.name in window.columns:
            listed.append(("column", subject, window.columns[subject.name]))
    for subject in reference.outputs:
        if subject.name in window.outputs:
            listed.append(("output", subject, window.outputs[subject.name]))
    if window.target is not None:
        listed.append(("target", reference.target, window.target))
    return listed


def _run(name: str, test: Any, was: Any, now: Any, *, about: str, impact: float) -> Result | None:
    measured = test.run(was, now)
    if measured is None:
        return None
    subject = getattr(was, "name", JOINT)
    plain = msgspec.structs.replace(  # numpy's floats are not JSON's
        measured,
        effect=float(measured.effect),
        expected=float(measured.expected),
        p_value=None if measured.p_value is None else float(measured.p_value),
    )
    return Result(
        test=name, subject=subject, about=about, measured=plain, decides=test.decides,
        impact=round(impact, 4),
    )  # fmt: skip


def _believed(
    results: Sequence[Result], tests: Mapping[str, DriftTest | JointTest], rate: float
) -> tuple[Result, ...]:
    deciding = [r for r in results if r.decides and r.measured.p_value is not None]
    believed = benjamini_hochberg([float(r.measured.p_value or 0.0) for r in deciding], rate=rate)
    found = {
        id(result)
        for result, is_believed in zip(deciding, believed)
        if is_believed and result.measured.effect >= tests[result.test].floor
    }
    return tuple(msgspec.structs.replace(r, found=id(r) in found) for r in results)


def impact_of(reference: SubjectReference, window: ColumnSketch) -> float:
    """Return how much of the answers' spread lies between the slots that rows moved between.

    The sum over slots of the change of share times the mean answer there, in standard deviations
    of the answer: without regard to sign, for moves may cancel in the mean and still matter.
    """
    change = np.abs(slot_shares(window) - slot_shares(reference.sketch))
    return max((float(change @ np.abs(np.array(e))) / 2 for e in reference.effect), default=0.0)


def persistent(windows: Sequence[Sequence[Result]]) -> tuple[Result, ...]:
    """Return what the last window found and enough of those before it too, by impact.

    Parameters
    ----------
    windows
        Results of consecutive windows, the last one last.
    """
    recent = windows[-WINDOWS:]
    counts: dict[tuple[str, str], int] = {}
    for results in recent:
        for key in {(r.subject, r.test) for r in results if r.found}:
            counts[key] = counts.get(key, 0) + 1
    last = recent[-1] if recent else ()
    kept = [r for r in last if r.found and counts[(r.subject, r.test)] >= NEEDED]
    return tuple(sorted(kept, key=lambda r: (-r.impact, -r.measured.effect, r.subject, r.test)))
