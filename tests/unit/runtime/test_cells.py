"""The canonical text of a cell."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.runtime.cells import UnreadableCell, canonical, micros_of_array, number_of

SAME = {
    "4": [4, 4.0, "4", " 4 ", "4.0", "4.00", np.int8(4), np.float32(4), Decimal("4.0"), b"4"],
    "0": [0, -0.0, "-0", "0.0", "-0.0", "0e5", Decimal("-0")],
    "1000": [1e3, "1e3", "1E+3", Decimal("1E+3"), np.array(1000)],
    "1.5": [1.5, "1.50", "15e-1", Decimal("1.50"), np.float16(1.5)],
    "0.1": [0.1, "0.1", "0.10000000000000001", Decimal("0.1")],
    "12345678901234567890123": [12345678901234567890123, "12345678901234567890123"],
    "1e+16": [1e16, "1e16", "10000000000000000.0"],
    "007": ["007", " 007\t"],
    "+5": ["+5"],
    "1,5": ["1,5"],
    "1_000": ["1_000"],
    "true": [True, "true", "True", "TRUE", np.True_],
    "false": [False, "False", np.False_, b"false"],
    "": [None, "", "  ", np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), Decimal("NaN")],
    "2020-01-02": [
        dt.date(2020, 1, 2), dt.datetime(2020, 1, 2), pd.Timestamp("2020-01-02"), "2020-01-02",
        "2020-01-02 00:00:00", np.datetime64("2020-01-02"), np.datetime64("2020-01-02", "ns"),
    ],
    "2020-01-02T03:04:05.000006": [
        dt.datetime(2020, 1, 2, 3, 4, 5, 6), "2020-01-02 03:04:05.000006",
        pd.Timestamp("2020-01-02T03:04:05.000006789"), "2020-01-02T03:04:05.000006789",
    ],
    "2020-01-02T03:04:05Z": [
        pd.Timestamp("2020-01-02T05:04:05+02:00"), "2020-01-02T03:04:05Z",
        "2020-01-02 05:04:05+02:00", dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    ],
    "12:30:00": [dt.time(12, 30)],
    "été": ["été", "été".encode()],
}  # fmt: skip


@pytest.mark.parametrize("text", SAME)
def test_equal_cells_have_one_text(text: str) -> None:
    assert {canonical(cell) for cell in SAME[text]} == {text}


@pytest.mark.parametrize(
    "cell", [[1], {"a": 1}, (1,), b"\xff", "\ud800", dt.timedelta(1), object()]
)
def test_a_cell_without_a_text_is_refused(cell: object) -> None:
    with pytest.raises(UnreadableCell):
        canonical(cell)


def test_an_integer_too_long_for_python_to_write_is_refused() -> None:
    with pytest.raises(UnreadableCell):
        canonical(10**5000)


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.datetimes() | st.decimals())
def test_a_canonical_text_is_its_own_canonical_text(cell: object) -> None:
    try:
        text = canonical(cell)
    except UnreadableCell:
        return
    assert canonical(text) == text


@given(st.floats(allow_nan=False))
def test_a_float_comes_back_from_its_text_with_equal_bits(value: float) -> None:
    assert number_of(canonical(value)) == (value + 0.0, False)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,5", None), ("1_0", None), ("", None), ("٣", None), ("0x10", None), ("1 2", None),
        ("+5", 5.0), (".5", 0.5), ("5.", 5.0), ("Infinity", np.inf), ("-inf", -np.inf),
        ("true", 1.0), ("007", 7.0), ("1e400", np.inf),
    ],
)  # fmt: skip
def test_numbers_follow_one_grammar(text: str, number: float | None) -> None:
    assert number_of(text) == (None if number is None else (number, False))


def test_an_integer_that_a_double_cannot_hold_is_noticed() -> None:
    assert number_of(str(2**53)) == (2.0**53, False)
    assert number_of(str(2**53 + 1)) == (2.0**53, True)
    assert number_of("0" * 5000 + "7") == (7.0, False)


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps"])
def test_times_of_every_unit_become_microseconds(unit: str) -> None:
    values = np.array(["1970-01-01", "NaT"], dtype=f"datetime64[{unit}]") + 0
    micros, missing, beyond = micros_of_array(values)
    expected = 0 if unit != "W" else values[:1].astype("datetime64[us]").astype(np.int64)[0]
    assert micros[0] == expected
    assert missing.tolist() == [False, True]
    assert not beyond.any()


def test_nanoseconds_are_floored_and_far_days_are_beyond() -> None:
    assert micros_of_array(np.array([-1], dtype="datetime64[ns]"))[0][0] == -1
    assert micros_of_array(np.array([2**40], dtype="datetime64[D]"))[2][0]
