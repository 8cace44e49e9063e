"""Every drift test of the folder keeps the laws, and a test with a fault breaks one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drivetrain.monitor import window as window_module
from drivetrain.monitor.drift.chi_square import ChiSquare
from drivetrain.monitor.drift.missing_rate import MissingRate
from drivetrain.monitor.drift_test import DRIFT_TESTS, Measured
from drivetrain.testing.drift import DriftSuite
from drivetrain.testing.laws import broken_laws, laws


@pytest.mark.parametrize("name", DRIFT_TESTS.names())
class TestDriftTests(DriftSuite):
    @pytest.fixture
    def drift(self, name: str) -> Any:
        return DRIFT_TESTS.load(name)


def test_the_folder_holds_tests_of_columns_and_joint_ones() -> None:
    shapes = {shape for test in DRIFT_TESTS.load_all().values() for shape in test.shapes}
    assert shapes == {"cuts", "levels", "joint"}
    assert len(DRIFT_TESTS.names()) >= 10
    assert len(laws(DriftSuite)) == 8


class Deaf(ChiSquare):
    """Never finds anything."""

    def run(self, reference: Any, window: Any) -> Measured | None:
        return Measured(effect=0.0, p_value=1.0, words="nothing")


class CriesWolf(ChiSquare):
    """Takes chance for drift: no noise is taken off, and p is far too small."""

    def run(self, reference: Any, window: Any) -> Measured | None:
        found = super().run(reference, window)
        if found is None:
            return None
        return msgspec.structs.replace(
            found, effect=found.effect + 2 * found.expected, p_value=(found.p_value or 0) ** 9
        )


class GrowsWithRows(ChiSquare):
    """Reports the statistic, which grows with the rows, as the effect."""

    def run(self, reference: Any, window: Any) -> Measured | None:
        found = super().run(reference, window)
        if found is None:
            return None
        return msgspec.structs.replace(found, effect=found.effect**2 * window.rows / 1000)


class Forgetful(ChiSquare):
    """Remembers the window before."""

    before = 0.0

    def run(self, reference: Any, window: Any) -> Measured | None:
        found = super().run(reference, window)
        if found is None:
            return None
        self.before, effect = found.effect, found.effect + self.before
        return msgspec.structs.replace(found, effect=effect)


class Impossible(MissingRate):
    """Gives p-values above 1."""

    def run(self, reference: Any, window: Any) -> Measured | None:
        found = super().run(reference, window)
        return None if found is None else msgspec.structs.replace(found, p_value=2.0)


class Silent(MissingRate):
    """Says what it found without a word."""

    def run(self, reference: Any, window: Any) -> Measured | None:
        found = super().run(reference, window)
        return None if found is None else msgspec.structs.replace(found, words="")


class HasNoFloor(ChiSquare):
    floor = 0.0


FAULTS: list[tuple[type, str]] = [
    (Deaf, "test_a_planted_shift_is_found"),
    (CriesWolf, "test_rows_like_the_reference_do_not_drift"),
    (GrowsWithRows, "test_more_rows_make_it_surer_and_no_larger"),
    (Forgetful, "test_the_same_windows_give_the_same_answer"),
    (Impossible, "test_numbers_are_in_their_ranges"),
    (Silent, "test_numbers_are_in_their_ranges"),
    (HasNoFloor, "test_it_declares_what_it_reads"),
]


@pytest.mark.parametrize(("fault", "law"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_seeded_fault_breaks_its_law(fault: type, law: str) -> None:
    assert law in broken_laws(DriftSuite, fault())


def test_a_right_one_breaks_none() -> None:
    assert broken_laws(DriftSuite, ChiSquare()) == {}


def test_a_merge_that_loses_cells_breaks_the_law_of_merging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    merge = window_module.merge_sketches

    def lossy(first: Any, second: Any) -> Any:
        return msgspec.structs.replace(merge(first, second), counts=first.counts)

    monkeypatch.setattr(window_module, "merge_sketches", lossy)
    assert set(broken_laws(DriftSuite, ChiSquare())) == {"test_parts_merge_to_the_whole"}
