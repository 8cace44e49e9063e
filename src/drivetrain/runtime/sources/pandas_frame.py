"""Columns of a pandas frame, through its own methods and without importing pandas.

pandas holds an integer column with missing cells as float64, unless a nullable type is asked for:
integers beyond 2**53 have lost their last digits before they come here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from drivetrain.core.contract import Contract
from drivetrain.runtime.cells import micros_of_array
from drivetrain.runtime.forms import Cells, Numbers, Things, Times
from drivetrain.runtime.sources.numpy_array import cells_of_array
from drivetrain.runtime.sources.source import Source, check_names


def read(frame: Any, contract: Contract) -> Source | None:
    """Read the Contract's columns of a DataFrame; None for any other object of pandas."""
    if not hasattr(frame, "columns"):
        return None
    names = list(frame.columns)
    check_names(names)
    wanted = set(contract.names)
    return Source(
        rows=len(frame),
        cells={name: cells_of(frame[name]) for name in names if name in wanted},
        extra={name: len(frame) for name in names if name not in wanted},
    )


def cells_of(series: Any) -> Cells:
    """Give a pandas Series (or Index) of any dtype as cells."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return Things(series.tolist())
        return cells_of_array(series.to_numpy())
    if hasattr(dtype, "categories"):
        return _coded(series)
    if hasattr(dtype, "tz"):
        values = series.to_numpy(dtype=f"datetime64[{dtype.unit}]")  # the instants, in UTC
        micros, missing, beyond = micros_of_array(values)
        return Times(micros, missing, beyond, aware=True)
    if hasattr(dtype, "na_value") and dtype.name in ("str", "string"):
        codes, texts = series.factorize()
        return Things([*texts.tolist(), None], np.where(codes < 0, len(texts), codes))
    if hasattr(dtype, "pyarrow_dtype"):
        return Things(series.tolist())
    numeric = getattr(dtype, "numpy_dtype", None)  # Int64, Float32, boolean
    if isinstance(numeric, np.dtype) and numeric.kind in "biuf":
        missing = series.isna().to_numpy()
        return Numbers(series.to_numpy(dtype=numeric, na_value=numeric.type(0)), missing)
    return Things(series.tolist())


def _coded(series: Any) -> Things:
    categories = series.cat.categories.tolist()
    codes = series.cat.codes.to_numpy().astype(np.int64)
    return Things([*categories, None], np.where(codes < 0, len(categories), codes))
