"""Names for the arrays that rooms hand to each other."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatVector: TypeAlias = npt.NDArray[np.float64]  # shape (n,)
FloatMatrix: TypeAlias = npt.NDArray[np.float64]  # shape (n, k)
Features: TypeAlias = npt.NDArray[np.float32]  # shape (n, k): what models see
IndexVector: TypeAlias = npt.NDArray[np.int64]  # row numbers or class numbers, shape (n,)
Mask: TypeAlias = npt.NDArray[np.bool_]
Array: TypeAlias = npt.NDArray[Any]

# Typed columns: what enters the graph, one array per column of the Contract, all of n rows.
#   number, boolean   float64 (n,), NaN where missing
#   category, text    object (n,) of str, '' where missing
#   datetime          int64 (n,), microseconds since 1970 in UTC, INT64_MIN where missing
#   vector            float64 (n, k), NaN where missing
Columns: TypeAlias = dict[str, Array]

MISSING_TIME = np.iinfo(np.int64).min
