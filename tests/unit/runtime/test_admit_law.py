"""The law: one cell gives the same bits whichever way it comes, and fast ways obey it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.contract import Column, Kind
from drivetrain.runtime.forms import Matrix, Numbers, Things
from drivetrain.runtime.kinds import reader_of
from drivetrain.runtime.sources import cells_of
from drivetrain.runtime.vectors import equal_bits

KINDS: tuple[Kind, ...] = ("number", "boolean", "category", "datetime")
MISSING_VALUES = ("NA", "-1", "2.50", "true", "+5", "9007199254740993", "1970-01-02", " nan ")
few = settings(max_examples=40, deadline=None)

texts = st.sampled_from(
    ["", " ", "NA", "nan", "-1", "-1.0", "2.5", "+5", "5", "1e3", "007", "1,5", "1_0", "inf", "yes",
     "No", "TRUE", "true", "x", "2020-01-02", "2020-01-02T03:04:05Z", "9007199254740993", "1e400",
     "20200102", "1970-01-02 00:00:00", "-0", "\x1c4", "４"]
) | st.text(max_size=4)  # fmt: skip
integers = st.sampled_from([-1, 0, 1, 2, 5, 2**53, 2**53 + 1, -(2**53) - 1]) | st.integers(
    -(2**63), 2**63 - 1
)
floats = st.sampled_from([-1.0, -0.0, 2.5, 5.0, 2.0**53, 9007199254740993.0]) | st.floats()
times = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))


def readers(kind: Kind) -> Any:
    """Give a reader that has something to notice in every way."""
    low, high = (-5e14, 3e15) if kind == "datetime" else (-1e3, 1e3)
    return reader_of(
        Column(
            name="c", kind=kind, low=low, high=high, categories=("4", "x", "true"),
            missing_values=MISSING_VALUES, true_values=("yes", "2"), formats=("%Y%m%d", "epoch_s"),
        )
    )  # fmt: skip


def assert_obeys(kind: Kind, values: list[Any], *sources: object) -> None:
    """Read values one by one, and the same in every other form."""
    reader = readers(kind)
    pairs = [reader.read(value) for value in values]
    expected = reader.pack([value for value, _ in pairs])
    breaches = [breach for _, breach in pairs]
    assert [reader.read_again(value)[1] for value in values * 2] == breaches * 2
    again = reader.pack([reader.read_again(value)[0] for value in values])
    assert equal_bits(again, expected)
    for source in (values, *sources):
        reading = reader.read_many(cells_of(source))
        assert equal_bits(reading.values, expected), source
        assert reading.breaches.tolist() == breaches, source


@pytest.mark.parametrize("kind", KINDS)
@few
@given(st.data())
def test_texts(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(st.lists(texts | st.none(), max_size=8))
    values += values[:3] * 3
    try:
        series = pl.Series(values, dtype=pl.String)
    except UnicodeEncodeError:  # lone surrogates: no frame can hold them
        assert_obeys(kind, values)
        return
    frame = pd.Series(values, dtype=object)
    assert_obeys(
        kind, values, series, series.cast(pl.Categorical), frame, frame.astype("category"),
        frame.astype("string"), series.to_arrow(), np.array(values, dtype=object),
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@few
@given(st.data())
def test_integers(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(st.lists(integers | st.none(), max_size=8))
    series = pl.Series(values, dtype=pl.Int64)
    sources = [series, pd.Series(values, dtype="Int64"), series.to_arrow()]
    sources += [pd.Series(series.to_arrow(), dtype="int64[pyarrow]"), series.cast(pl.String)]
    sources += [series.cast(pl.Decimal(38, 0))]
    if None not in values:
        sources += [np.array(values, dtype=np.int64), pd.Series(values, dtype="int64")]
    assert_obeys(kind, values, *sources)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(st.data())
def test_floats(kind: Kind, data: st.DataObject) -> None:
    values = data.draw(st.lists(floats | st.none(), max_size=8))
    series = pl.Series(values, dtype=pl.Float64)
    array = np.array([np.nan if value is None else value for value in values])
    sources = [series, pd.Series(array), pd.Series(values, dtype="Float64"), series.to_arrow()]
    as_text = [None if value is None else repr(value) for value in values]
    if kind != "category":  # the text "nan" is missing only where the Contract says so
        sources.append(as_text)
    assert_obeys(kind, values, *sources, array)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(values=st.lists(st.booleans() | st.none(), max_size=6))
def test_booleans(kind: Kind, values: list[bool | None]) -> None:
    series = pl.Series(values, dtype=pl.Boolean)
    frame = pd.Series(values, dtype="boolean")
    as_text = [None if value is None else str(value) for value in values]
    sources = [series, frame, pd.Series(values, dtype=object), series.to_arrow(), as_text]
    assert_obeys(kind, values, *sources, series.cast(pl.String))


@pytest.mark.parametrize("kind", KINDS)
@few
@given(values=st.lists(times | st.none(), max_size=6))
def test_times(kind: Kind, values: list[dt.datetime | None]) -> None:
    series = pl.Series(values, dtype=pl.Datetime("us"))
    numpy = series.to_numpy().astype("datetime64[us]")
    as_text = [None if value is None else value.isoformat() for value in values]
    spaced = [None if value is None else str(value) for value in values]
    exact = series.cast(pl.Datetime("ns"))
    sources = [series, exact, exact.to_arrow(), numpy, pd.Series(numpy), series.to_arrow()]
    assert_obeys(kind, values, *sources, as_text, spaced, values)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(values=st.lists(times | st.none(), max_size=6))
def test_times_with_a_zone(kind: Kind, values: list[dt.datetime | None]) -> None:
    aware = [None if value is None else value.replace(tzinfo=dt.UTC) for value in values]
    series = pl.Series(values, dtype=pl.Datetime("us", "UTC"))
    swiss = series.dt.convert_time_zone("Europe/Zurich")
    frame = pd.Series(values, dtype="datetime64[us, UTC]")
    as_text = [None if value is None else value.isoformat() for value in aware]
    assert_obeys(kind, aware, series, swiss, frame, swiss.to_arrow(), as_text)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(values=st.lists(st.dates() | st.none(), max_size=6))
def test_dates(kind: Kind, values: list[dt.date | None]) -> None:
    series = pl.Series(values, dtype=pl.Date)
    as_text = [None if value is None else value.isoformat() for value in values]
    sources = [series, series.to_arrow(), series.to_numpy().astype("datetime64[D]"), as_text]
    assert_obeys(kind, values, *sources)


junk = st.sampled_from([[1], {}, (), b"\xff", b"4", "\ud800", dt.timedelta(1), dt.time(1), 10**400])


@pytest.mark.parametrize("kind", KINDS)
@few
@given(st.data())
def test_mixtures(kind: Kind, data: st.DataObject) -> None:
    cells = texts | integers | floats | st.booleans() | times | st.decimals() | junk | st.none()
    values = data.draw(st.lists(cells, max_size=8))
    assert_obeys(kind, values, pd.Series(values, dtype=object))


@few
@given(st.lists(st.lists(st.floats(), min_size=2, max_size=2), max_size=5))
def test_vectors(values: list[list[float]]) -> None:
    reader = reader_of(Column(name="v", kind="vector", width=2))
    array = np.array(values, dtype=np.float64).reshape(-1, 2)
    expected = reader.read_many(Things(values))
    assert equal_bits(expected.values, array + 0.0)
    frames = [pl.Series(values, dtype=pl.Array(pl.Float64, 2)), pd.Series(values, dtype=object)]
    frames += [pl.Series(values, dtype=pl.List(pl.Float64)), pd.Series(list(array), dtype=object)]
    for cells in (Matrix(array), *map(cells_of, frames)):
        reading = reader.read_many(cells)
        assert equal_bits(reading.values, expected.values)
        assert reading.breaches.tolist() == expected.breaches.tolist()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64", "float16", "float32", "bool"])
def test_every_width_of_number_equals_its_python_value(dtype: str) -> None:
    array = np.array([0, 1, 100, 200, 2**15], dtype=np.uint64).astype(dtype)
    for kind in KINDS:
        assert_obeys(kind, array.tolist(), array, pl.Series(array))


def test_a_reader_that_forgot_minus_zero_would_be_seen() -> None:
    values = np.array([-0.0])
    assert not equal_bits(values, readers("number").read_many(Numbers(values)).values)
