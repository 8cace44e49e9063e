import time

import pytest

from drivetrain.core.errors import SettingError
from drivetrain.search.budget import SLOWEST, Budget, allowance_s


def budget(limit_s: float, elapsed_s: float) -> Budget:
    return Budget(limit_s=limit_s, began=100.0, clock=lambda: 100.0 + elapsed_s)


@pytest.mark.parametrize("limit_s", [0.1, 0.0, -5.0, float("nan"), float("inf")])
def test_a_limit_too_short_for_anything_is_a_setting_error(limit_s: float) -> None:
    with pytest.raises(SettingError, match="time-limit"):
        Budget.start(limit_s)


def test_the_search_leaves_a_tenth_for_the_proof() -> None:
    assert budget(60.0, 5.0).window().ends_s == pytest.approx(55.0)


def test_where_preparation_was_slow_the_end_gets_as_much_up_to_a_quarter() -> None:
    assert budget(60.0, 10.0).window().ends_s == pytest.approx(50.0)
    assert budget(60.0, 30.0).window().ends_s == pytest.approx(45.0)


def test_a_search_that_begins_late_still_gets_what_one_model_needs() -> None:
    assert budget(10.0, 9.9).window().ends_s == pytest.approx(11.9)


@pytest.mark.parametrize("elapsed_s", [0.0, 5.0, 14.0, 100.0])
def test_the_search_never_reaches_the_hard_end(elapsed_s: float) -> None:
    late = budget(10.0, elapsed_s)
    window = late.window()
    assert window.ends_s <= window.latest_s <= late.hard_end_s - 1.5


def test_every_recipe_but_the_last_may_use_half_of_what_remains() -> None:
    assert allowance_s(40.0, folds=4, workers=2, is_last=False) == 10.0
    assert allowance_s(40.0, folds=4, workers=2, is_last=True) == 20.0
    assert allowance_s(30.0, folds=5, workers=2, is_last=True) == 10.0


def test_a_fold_gets_a_second_where_there_is_one() -> None:
    assert allowance_s(3.0, folds=5, workers=2, is_last=False) == 1.0
    assert allowance_s(1.5, folds=5, workers=2, is_last=False) == 0.5


def test_a_wide_table_leaves_more_for_what_follows_the_search() -> None:
    narrow, wide = budget(20.0, 1.0), Budget(20.0, 100.0, lambda: 101.0, columns=2_000)
    assert narrow.window().ends_s == pytest.approx(18.0)
    assert wide.window().ends_s == pytest.approx(16.5)


def test_on_a_busy_machine_more_is_left_for_what_follows_the_search() -> None:
    slow = Budget(10.0, 100.0, lambda: 101.0, slowness=3.0)
    assert budget(10.0, 1.0).window().ends_s == pytest.approx(8.5)
    assert slow.window().ends_s == pytest.approx(5.5)


def test_a_machine_is_busy_where_much_time_passes_for_little_work() -> None:
    waited = Budget(10.0, 0.0, lambda: 1e9, worked_s=time.process_time())
    worked = Budget(10.0, 0.0, lambda: 1e-6, worked_s=time.process_time())
    assert waited.measured().slowness == SLOWEST
    assert worked.measured().slowness == 1.0


def test_the_first_folds_of_a_run_without_time_get_what_there_is() -> None:
    assert allowance_s(1.8, folds=8, workers=2, is_last=False, is_first=True) == 1.8
    assert allowance_s(1.8, folds=8, workers=2, is_last=False) == 0.45


def test_a_machine_that_turns_busy_ends_the_search_earlier_than_planned() -> None:
    calm = budget(30.0, 3.0)
    busy = calm.on_so_slow_a_machine(2.5)
    assert calm.finish_by_s > calm.window().ends_s > busy.finish_by_s
    assert busy.on_so_slow_a_machine(1.0) == busy
    assert calm.on_so_slow_a_machine(99.0).slowness == SLOWEST
