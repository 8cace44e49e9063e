"""Which of the smaller models ships: the cheapest that gives up next to nothing."""

from __future__ import annotations

import msgspec
import pytest

from drivetrain.core.findings import Decision
from drivetrain.search.blend_table import Blend
from drivetrain.search.shrink import (
    Limits,
    Measured,
    as_found,
    choose,
    expected,
    propose,
    to_measure,
    with_front,
)

QUICK = {"latency_us": 50.0, "rows_per_s": 90_000.0, "size_bytes": 1_000_000}


def line(name: str, error: float, **figures: object) -> Measured:
    return Measured(
        name=name, members=1, models=1, score=0.0, error=error, worse=0.0, expected_us=10.0,
        **figures,
    )  # fmt: skip


def test_the_cheapest_within_a_quarter_percent_is_chosen() -> None:
    full = line("full", 1.0, latency_us=200.0, rows_per_s=30_000.0, size_bytes=9_000_000)
    near = line("near", 1.002, latency_us=90.0, rows_per_s=60_000.0, size_bytes=2_000_000)
    far = line("far", 1.003, **QUICK)
    assert choose([full, near, far], Limits()) == near


def test_of_two_that_cost_alike_the_better_is_chosen() -> None:
    cheap = line("cheap", 1.002, latency_us=90.0, rows_per_s=60_000.0, size_bytes=1)
    better = line("better", 1.001, latency_us=94.0, rows_per_s=60_000.0, size_bytes=1)
    assert choose([line("full", 1.0), cheap, better], Limits()) == better


def test_one_percent_may_be_given_up_for_a_fast_model_and_no_more() -> None:
    full = line("full", 1.0, latency_us=200.0, rows_per_s=30_000.0, size_bytes=9_000_000)
    fast = line("fast", 1.009, latency_us=110.0, rows_per_s=110_000.0, size_bytes=2_000_000)
    faster = line("faster", 1.0095, latency_us=50.0, rows_per_s=160_000.0, size_bytes=1)
    poor = line("poor", 1.011, latency_us=50.0, rows_per_s=160_000.0, size_bytes=1)
    assert choose([full, fast, faster], Limits()) == fast
    assert choose([full, poor], Limits()) == full


def test_where_nothing_near_is_quick_two_percent_may_be_given_up() -> None:
    slow = line("slow", 1.0, latency_us=900.0, rows_per_s=5_000.0, size_bytes=9_000_000)
    quick = line("quick", 1.015, **QUICK)
    poor = line("poor", 1.03, **QUICK)
    cheaper = line("cheaper", 1.018, latency_us=9.0, rows_per_s=900_000.0, size_bytes=1)
    assert choose([slow, quick, poor, cheaper], Limits()) == quick
    assert choose([slow, poor], Limits()) == slow


def test_what_may_well_be_two_percent_worse_is_not_taken_while_another_is_quick() -> None:
    full = line("full", 1.0, latency_us=500.0, rows_per_s=30_000.0, size_bytes=9_000_000)
    lucky = line("lucky", 0.99, risk=0.021, **QUICK)
    slow = line("full", 1.0, latency_us=500.0, rows_per_s=9_000.0, size_bytes=9_000_000)
    assert choose([full, lucky], Limits()) == full
    assert choose([slow, lucky], Limits()) == lucky
    assert choose([full, lucky], Limits(max_latency_us=60.0)) == lucky


def test_where_nothing_is_quick_one_percent_may_be_given_up_for_the_cheapest() -> None:
    full = line("full", 1.0, latency_us=9_000.0, rows_per_s=900.0, size_bytes=9_000_000)
    smaller = line("smaller", 1.009, latency_us=3_000.0, rows_per_s=2_000.0, size_bytes=1)
    small = line("small", 1.011, latency_us=2_000.0, rows_per_s=3_000.0, size_bytes=1)
    assert choose([full, smaller, small], Limits()) == smaller


def test_what_was_not_measured_does_not_ship_where_anything_was() -> None:
    slow = line("slow", 1.001, latency_us=9_000.0, rows_per_s=900.0, size_bytes=9_000_000)
    assert choose([slow, line("unmeasured", 1.0)], Limits()) == slow
    assert choose([line("this", 1.0), line("that", 1.1)], Limits()) == line("this", 1.0)


def test_the_unmeasured_are_expected_to_be_as_slow_as_the_measured_were_found() -> None:
    measured = line("measured", 1.0, latency_us=900.0, rows_per_s=8_000.0, size_bytes=1)
    alike, dearer = line("alike", 1.0), line("dearer", 1.0)
    dearer = msgspec.structs.replace(dearer, expected_us=1_000.0)
    known = as_found([measured, alike, dearer], cores=2)
    assert known[0] == measured
    assert known[1].free_rows_per_s == pytest.approx(8_000.0)
    assert (known[2].free_rows_per_s or 0.0) < 800.0


def test_what_would_ship_is_measured_first_then_the_full_ensemble_then_the_cheapest() -> None:
    full = line("full", 1.0, free_rows_per_s=10_000.0)
    near = line("near", 1.001, free_rows_per_s=60_000.0)
    cheap = msgspec.structs.replace(line("cheap", 1.015, free_rows_per_s=99_000.0), expected_us=1.0)
    far = msgspec.structs.replace(line("far", 1.2, free_rows_per_s=99_000.0), worse=0.2)
    lines = {one.name: one for one in (full, near, cheap, far)}
    order = []
    while name := to_measure(tuple(lines.values()), Limits(), cores=2):
        order.append(name)
        lines[name] = msgspec.structs.replace(lines[name], note="too large to measure")
    assert order[0] == "near"
    assert sorted(order) == ["cheap", "full", "near"]


@pytest.mark.parametrize(
    "limits",
    [Limits(max_latency_us=60.0), Limits(max_size_mb=1.5), Limits(min_rows_per_s=80_000.0)],
)
def test_limits_hold_whatever_it_costs(limits: Limits) -> None:
    good = line("good", 1.0, latency_us=90.0, rows_per_s=70_000.0, size_bytes=2_000_000)
    small = line("small", 2.0, **QUICK)
    unmeasured = line("unmeasured", 1.0)
    assert choose([good, small, unmeasured], limits) == small
    assert choose([good, unmeasured], limits) is None


def test_the_front_holds_what_no_other_beats_in_error_and_cost() -> None:
    full = line("full", 1.0, latency_us=200.0, rows_per_s=30_000.0, size_bytes=1)
    beaten = line("beaten", 1.1, latency_us=300.0, rows_per_s=30_000.0, size_bytes=1)
    small = line("small", 1.2, **QUICK)
    front = with_front([small, beaten, full, line("unmeasured", 0.9)], "small")
    assert [one.name for one in front if one.is_on_front] == ["full", "small"]
    assert [one.name for one in front if one.is_chosen] == ["small"]
    assert [one.error for one in front] == sorted(one.error for one in front)


def test_equal_blends_are_proposed_once() -> None:
    decision = Decision(subject="blend", choice="", reason="")
    full = Blend(weights={"a": 0.5, "b": 0.5}, error=1.0, score=1.0, decision=decision)
    proposals = propose(
        [
            ("full", full, {"a": 4, "b": 4}),
            ("the same", full, {"a": 4, "b": 4}),
            ("fewer", full, {"a": 4, "b": 1}),
        ],
        {"a": (1.0, 1.0, 1.0, 1.0), "b": (9.0, 9.0, 9.0, 9.0)},
        lambda weights, folds: 0.01 * sum(folds.values()),
        lambda weights: 0.05,
    )
    assert [(one.name, one.models, one.cost_ns) for one in proposals] == [
        ("full", 8, 40.0),
        ("fewer", 5, 13.0),
    ]
    lines = expected(proposals, cores=2)
    assert lines[0].worse == 0.0 < lines[1].worse
    assert lines[1].risk == pytest.approx(lines[1].worse + 0.05 / proposals[0].error)
    assert msgspec.convert(msgspec.to_builtins(lines), tuple[Measured, ...]) == lines
