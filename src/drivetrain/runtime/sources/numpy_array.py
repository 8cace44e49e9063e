"""Columns held by numpy arrays."""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.runtime.cells import micros_of_array
from drivetrain.runtime.forms import Cells, Matrix, Numbers, Things, Times


def cells_of_array(values: Array) -> Cells:
    """Give a numpy array of any dtype, (n,) or (n, k), as cells."""
    if isinstance(values, np.ma.MaskedArray):
        return Things(values.astype(object).tolist())
    kind = values.dtype.kind
    if values.ndim == 2 and kind in "biuf":
        return Matrix(values)
    if values.ndim == 1 and kind in "biuf":
        return Numbers(values)
    if values.ndim == 1 and kind == "M":
        micros, missing, beyond = micros_of_array(values)
        return Times(micros, missing, beyond)
    return Things(list(values) if kind == "m" else values.tolist())
