"""The log's columns in Arrow: laid out by hand, and equal to what Arrow makes of the values."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.arrays import MISSING_TIME
from drivetrain.serve.log.layout import Field, FieldType
from drivetrain.serve.log.parquet import _array

TEXTS = st.lists(
    st.sampled_from(["", "clerk", "köchin 寿", "naïve 💡", "a" * 300, "\0"]), max_size=20
)
DOUBLES = st.lists(st.sampled_from([0.0, -0.0, 1.5, math.inf, math.nan, 5e-324]), max_size=20)
TIMES = st.lists(st.sampled_from([0, -1, MISSING_TIME, 2**62]), max_size=20)


@settings(deadline=None)  # the first example waits for the import of pandas
@given(texts=TEXTS, doubles=DOUBLES, times=TIMES, is_input=st.booleans())
def test_arrow_finds_what_it_would_have_read_itself(
    texts: list[str], doubles: list[float], times: list[int], is_input: bool
) -> None:
    def made(kind: FieldType, values: object, width: int = 0) -> object:
        name = "input.a" if is_input else "a"
        return _array(Field(name, kind, "a", width=width), values)

    found = made("string", texts)
    assert found.equals(
        pa.array([text or None for text in texts] if is_input else texts, pa.string())
    )
    found = made("double", np.array(doubles))
    assert_same_doubles(found, pa.array(np.array(doubles), pa.float64(), from_pandas=is_input))
    if is_input:
        found = made("int64", np.array(times, np.int64))
        assert found.equals(pa.array([None if t == MISSING_TIME else t for t in times], pa.int64()))
    else:
        flags = np.array(times, np.int64) > 0
        assert made("bool", flags).equals(pa.array(flags.tolist(), pa.bool_()))
    pairs = np.array(doubles[: len(doubles) // 2 * 2]).reshape(-1, 2)
    lists = [None if np.isnan(pair).all() else pair.tolist() for pair in pairs]
    found = made("vector", pairs, 2)
    assert_same_doubles(found, pa.array(lists, pa.list_(pa.float64())))


def assert_same_doubles(found: pa.Array, expected: pa.Array) -> None:
    """Compare with nan equal to nan, null to null and nothing else."""
    found.validate(full=True)
    assert (found.type, repr(found.to_pylist())) == (expected.type, repr(expected.to_pylist()))
