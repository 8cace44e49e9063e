"""What each block computes, against numpy and Python."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.graph.blocks.datetime_parts import PARTS, DatetimeParts
from drivetrain.graph.blocks.join import Join, NumberText
from drivetrain.graph.blocks.link import LinkBlock, WeightedSum
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import FLOAT32_MAX, Number
from drivetrain.graph.blocks.words import Tokens, Words
from drivetrain.graph.run import run_blocks

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def texts(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


def test_a_number_is_scaled_in_double_before_the_cast() -> None:
    seconds = np.array([1.7e9, 1.7e9 + 1.0])
    made = run_blocks([Number("x", "o", center=1.7e9)], {"x": seconds}, ["o"])["o"]
    assert made.tolist() == [[0.0], [1.0]]


def test_a_number_is_clipped_and_missing_is_kept_or_filled() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e300, -0.0, 1e-40])
    blocks = [Number("x", "kept"), Number("x", "filled", 1.0, 2.0, -3.0, 3.0, 0.25)]
    made = run_blocks(blocks, {"x": x}, ["kept", "filled"])
    expected = np.array([np.nan, FLOAT32_MAX, -FLOAT32_MAX, FLOAT32_MAX, -0.0, 1e-40], np.float32)
    assert made["kept"][:, 0].tobytes() == expected.tobytes()
    assert made["filled"][:, 0].tolist() == [0.25, 3.0, -3.0, 3.0, -2.0, -2.0]


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("number", np.array([np.nan, 0.0])),
        ("boolean", np.array([np.nan, 1.0])),
        ("category", texts("", "a")),
        ("text", texts("", " ")),
        ("datetime", np.array([MISSING_TIME, MISSING_TIME + 1])),
        ("vector", np.array([[np.nan, np.nan], [np.nan, 0.0]])),
    ],
)
def test_missing_is_flagged_in_every_kind_of_column(kind: str, cells: np.ndarray) -> None:
    made = run_blocks([MissingFlag("c", "o", kind)], {"c": cells}, ["o"])["o"]  # type: ignore[arg-type]
    assert made.tolist() == [[1.0], [0.0]]


def test_a_lookup_knows_missing_as_a_key_and_gives_the_rest_the_default() -> None:
    cells = texts("a", "", "ü\u2603", "A", "a ")
    single = Lookup("c", "one", ("a", "", "ü\u2603"), np.array([[1], [np.nan], [3]], np.float32),
                    np.array([-1], np.float32))  # fmt: skip
    wide = Lookup("c", "two", ("a",), np.array([[1, 2]], np.float32), np.array([0, 9], np.float32))
    empty = Lookup("c", "none", (), np.zeros((0, 1), np.float32), np.array([5], np.float32))
    made = run_blocks([single, wide, empty], {"c": cells}, ["one", "two", "none"])
    assert np.array_equal(made["one"][:, 0], [1, np.nan, 3, -1, -1], equal_nan=True)
    assert made["two"].tolist() == [[1, 2], [0, 9], [0, 9], [0, 9], [0, 9]]
    assert made["none"].tolist() == [[5.0]] * 5


def test_texts_are_joined_and_whole_numbers_written() -> None:
    x = np.array([4.0, -0.0, np.nan, 1.5, np.inf, 2.0**53, -(2.0**60)])
    made = run_blocks([NumberText("x", "n"), Join(("n", "n"), "j")], {"x": x}, ["n", "j"])
    assert made["n"].tolist() == ["4", "0", "", "?", "?", "9007199254740992", "?"]
    assert made["j"][:2].tolist() == ["4\x1f4", "0\x1f0"]


DATETIMES = st.datetimes(datetime.datetime.min, datetime.datetime.max)


@given(st.lists(DATETIMES, min_size=1, max_size=40))
@settings(max_examples=25, deadline=None)
def test_datetime_parts_are_those_of_python(moments: list[datetime.datetime]) -> None:
    time = np.array([(moment - EPOCH) // MICROSECOND for moment in moments], np.int64)
    made = run_blocks([DatetimeParts("t", "o", tuple(PARTS))], {"t": time}, ["o"])["o"]
    minutes = [moment.hour * 60 + moment.minute for moment in moments]
    expected = {
        "days_since_2000": [
            (m - datetime.datetime(2000, 1, 1)) / datetime.timedelta(days=1) for m in moments
        ],
        "year": [moment.year for moment in moments],
        "month": [moment.month for moment in moments],
        "day": [moment.day for moment in moments],
        "weekday": [moment.weekday() for moment in moments],
        "hour": [moment.hour for moment in moments],
        "minute": [moment.minute for moment in moments],
        "day_of_year": [moment.timetuple().tm_yday for moment in moments],
        "weekend": [moment.weekday() >= 5 for moment in moments],
        "month_sin": [np.sin(2 * np.pi * (moment.month - 1) / 12) for moment in moments],
        "month_cos": [np.cos(2 * np.pi * (moment.month - 1) / 12) for moment in moments],
        "weekday_sin": [np.sin(2 * np.pi * moment.weekday() / 7) for moment in moments],
        "weekday_cos": [np.cos(2 * np.pi * moment.weekday() / 7) for moment in moments],
        "hour_sin": [np.sin(2 * np.pi * minute / 1440) for minute in minutes],
        "hour_cos": [np.cos(2 * np.pi * minute / 1440) for minute in minutes],
    }
    for number, part in enumerate(PARTS):
        np.testing.assert_allclose(made[:, number], expected[part], rtol=1e-6, atol=1e-7)


def test_the_ends_of_int64_do_not_overflow() -> None:
    time = np.array([MISSING_TIME + 1, np.iinfo(np.int64).max, MISSING_TIME], np.int64)
    parts = ("year", "month", "day", "hour", "minute")
    made = run_blocks([DatetimeParts("t", "o", parts, fill=-7.0)], {"t": time}, ["o"])["o"]
    assert made.tolist() == [[-290308, 12, 21, 19, 59], [294247, 1, 10, 4, 0], [-7.0] * 5]


def test_missing_datetimes_are_nan_without_a_fill() -> None:
    time = np.array([MISSING_TIME], np.int64)
    assert np.isnan(run_blocks([DatetimeParts("t", "o", ("year",))], {"t": time}, ["o"])["o"]).all()


def test_words_are_counted_weighed_and_normalised() -> None:
    cells = texts("Good, good; BAD", "", "unknown", "\u00e9t\u00e9 x_1")
    plain = Words("c", "p", ("good", "bad", "été", "1"), np.array([1, 2, 4, 8], np.float32),
                  normalise=False)  # fmt: skip
    unit = Words("c", "u", ("good", "bad"), np.array([1.5, 4], np.float32))
    made = run_blocks([plain, unit], {"c": cells}, ["p", "u"])
    assert made["p"].tolist() == [[2, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 4, 8]]
    np.testing.assert_allclose(made["u"][0], [0.6, 0.8])
    assert not made["u"][1:].any()


def test_tokens_are_the_words_that_words_counts_in_every_chunk() -> None:
    cells = texts("Aa bb", *[""] * 17_000, "c d e")
    made = run_blocks([Tokens("c", "o")], {"c": cells}, ["o"])["o"]
    assert made.shape == (17_002, 3)
    assert made[[0, 1, -1]].tolist() == [["aa", "bb", ""], ["", "", ""], ["c", "d", "e"]]


def test_links_are_right_far_out() -> None:
    margin = np.array([[-700.0, 0.0], [-30.0, 30.0], [800.0, -800.0]])
    blocks = [LinkBlock("m", "s", "sigmoid"), LinkBlock("m", "f", "softmax")]
    made = run_blocks(blocks, {}, ["s", "f"], {"m": margin})
    np.testing.assert_allclose(made["s"][:2], 1 / (1 + np.exp(-margin[:2])), rtol=1e-12)
    assert made["s"][2].tolist() == [1.0, 0.0]
    np.testing.assert_allclose(made["f"][1], [np.exp(-60.0), 1.0], rtol=1e-12)
    assert made["f"][2].tolist() == [1.0, 0.0]


def test_a_weighted_sum_is_a_weighted_sum() -> None:
    wires = {"a": np.array([[1.0]]), "b": np.array([[10.0]])}
    made = run_blocks([WeightedSum(("a", "b"), "o", (0.5, 1.0))], {}, ["o"], wires)["o"]
    assert made.tolist() == [[10.5]]
