"""The laws of drift tests.

Subclass :class:`DriftSuite` and give the fixture ``drift``; see :mod:`drivetrain.testing.laws`.
Every shape of bins that a test says it reads is tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from drivetrain.monitor.drift_test import Measured
from drivetrain.monitor.reference import Reference
from drivetrain.monitor.window import WindowSketch
from drivetrain.testing.laws import require
from drivetrain.testing.monitored import Rows, monitored_reference, monitored_rows, sketch_rows

TRIALS = 120
ROWS = 1200
RATE = 0.05
# of 120 trials at 5 %, 6 are expected and more than 15 come once in a thousand times
MOST_FALSE = 15
_SUBJECTS = {"cuts": ("age", "income"), "levels": ("city", "member")}
# what moves each subject that a test may watch
_PLANTED: tuple[dict[str, Any], ...] = (
    {"shift": 1.5},
    {"missing": 0.4},
    {"together": -0.8},
    {"new_city": 0.4},
    {"shift": 12.0},
)


@lru_cache(maxsize=1)
def _reference() -> Reference:
    return monitored_reference()


@lru_cache(maxsize=1)
def _same() -> tuple[WindowSketch, ...]:
    return tuple(_window(monitored_rows(ROWS, seed=1000 + k)) for k in range(TRIALS))


@lru_cache(maxsize=1)
def _drifted() -> tuple[WindowSketch, ...]:
    return tuple(_window(monitored_rows(ROWS, seed=7, **planted)) for planted in _PLANTED)


def _window(rows: Rows) -> WindowSketch:
    return sketch_rows(_reference(), rows)


def _results(drift: Any, window: WindowSketch) -> Iterator[tuple[str, Measured | None]]:
    """Run a test on every subject of the shapes that it reads."""
    reference = _reference()
    for shape in drift.shapes:
        if shape == "joint":
            yield "joint", drift.run(reference.joint, window.joint)
            continue
        for name in _SUBJECTS[shape]:
            yield name, drift.run(reference.subject(name), window.columns[name])


class DriftSuite:
    """What every drift test keeps."""

    @pytest.fixture
    def drift(self) -> Any:
        """Return the test; a subclass overrides this."""
        raise NotImplementedError

    def test_it_declares_what_it_reads(self, drift: Any) -> None:
        """It names shapes of bins, whether it decides, and a floor above zero."""
        require(set(drift.shapes) <= {"cuts", "levels", "joint"}, "shapes are known")
        require(drift.shapes, "it reads something")
        require(drift.decides in (True, False), "it decides or shows")
        require(0 < drift.floor < 1, "its floor lies between 0 and 1")

    def test_rows_like_the_reference_do_not_drift(self, drift: Any) -> None:
        """P-values are small no more often than they say; no effect passes the floor."""
        small: dict[str, int] = {}
        for window in _same():
            for name, found in _results(drift, window):
                if found is None:
                    continue
                small[name] = small.get(name, 0) + (found.p_value is not None
                                                    and found.p_value < RATE)  # fmt: skip
                above = found.effect >= drift.floor
                sure = found.p_value is None or found.p_value < RATE / TRIALS
                require(not (above and sure), f"'{name}' does not drift, yet it is found")
        for name, count in small.items():
            require(count <= MOST_FALSE, f"p < {RATE} for '{name}' in {count} of {TRIALS}")

    def test_a_planted_shift_is_found(self, drift: Any) -> None:
        """One of the planted drifts passes its floor, with a p-value that stands among many."""
        best = [
            found
            for window in _drifted()
            for _, found in _results(drift, window)
            if found is not None and found.effect >= drift.floor
        ]
        require(best, "no planted shift passes the floor")
        if drift.decides:
            sure = [f for f in best if f.p_value is not None and f.p_value < 1e-6]
            require(sure, "no planted shift has a small p-value")

    def test_more_rows_make_it_surer_and_no_larger(self, drift: Any) -> None:
        """With ten times the rows the p-value falls, and the effect stays about the same."""
        for planted in _PLANTED:
            few = dict(_results(drift, _window(monitored_rows(600, seed=3, **planted))))
            many = dict(_results(drift, _window(monitored_rows(6000, seed=4, **planted))))
            for name, small in few.items():
                large = many[name]
                if small is None or large is None or small.effect < drift.floor:
                    continue
                require(large.effect < 1.5 * small.effect + drift.floor, f"'{name}' grew with rows")
                if small.p_value is not None and large.p_value is not None:
                    require(large.p_value <= small.p_value, f"'{name}' is less sure with more rows")

    def test_parts_merge_to_the_whole(self, drift: Any) -> None:
        """The merged sketches of parts of the rows give what the rows at once give."""
        for planted in _PLANTED:
            rows = monitored_rows(900, seed=5, **planted)
            parts = [_window(_part(rows, span)) for span in (slice(0, 37), slice(37, 900))]
            merged = dict(_results(drift, parts[1].merged(parts[0])))
            for name, whole in _results(drift, _window(rows)):
                same = _alike(whole, merged[name])
                require(same, f"'{name}': parts merge to something else than the whole")

    def test_the_same_windows_give_the_same_answer(self, drift: Any) -> None:
        """Nothing is drawn by chance, and nothing is remembered from run to run."""
        for window in _drifted():
            require(dict(_results(drift, window)) == dict(_results(drift, window)), "it differs")

    def test_numbers_are_in_their_ranges(self, drift: Any) -> None:
        """Effects are finite and not negative, p-values are chances, words are given."""
        for window in (*_drifted(), _same()[0]):
            for name, found in _results(drift, window):
                if found is None:
                    continue
                require(np.isfinite(found.effect) and found.effect >= 0, f"effect of '{name}'")
                require(found.p_value is None or 0 <= found.p_value <= 1, f"p-value of '{name}'")
                require(found.words, f"words for '{name}'")
                require(not drift.decides or found.p_value is not None, "what decides has p-values")

    def test_an_empty_or_tiny_window_is_no_drift(self, drift: Any) -> None:
        """One row is nothing to go by."""
        for _, found in _results(drift, _window(monitored_rows(1, seed=6))):
            if found is not None and drift.decides:
                sure = found.p_value is not None and found.p_value < 1e-6
                require(not (sure and found.effect >= drift.floor), "one row is drift")


def _part(rows: Rows, span: slice) -> Rows:
    return Rows(
        {name: values[span] for name, values in rows.columns.items()},
        {name: values[span] for name, values in rows.outputs.items()},
        rows.y[span],
    )


def _alike(first: Measured | None, second: Measured | None) -> bool:
    if first is None or second is None:
        return first is second
    return bool(np.isclose(first.effect, second.effect, rtol=1e-9, atol=1e-9)) and (
        first.p_value is None
        or second.p_value is None
        or bool(np.isclose(first.p_value, second.p_value, rtol=1e-6, atol=1e-12))
    )
