"""Differences between arrays, as the proof counts them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from drivetrain.core.arrays import Array, FloatMatrix
from drivetrain.core.contract import Target


def relative(got: Array, expected: FloatMatrix, scale: float) -> FloatMatrix:
    """Return |got - expected| / max(|expected|, scale); 0 where both are NaN, inf where one is."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(got - expected) / np.maximum(np.abs(expected), scale)
    both = (np.isnan(got) & np.isnan(expected)) | (got == expected)
    return np.where(both, 0.0, np.where(np.isnan(difference), np.inf, difference))


def same_bits(left: Array, right: Array) -> npt.NDArray[np.bool_]:
    """Return where two arrays are the same; NaN is the same as NaN, 0.0 is not -0.0."""
    same = left == right
    if left.dtype.kind == "f":
        same = same & (np.signbit(left) == np.signbit(right)) | (np.isnan(left) & np.isnan(right))
    return np.asarray(same)


def as_texts(labels: Array, target: Target) -> Array:
    """Return labels as the Contract writes its classes, object (n,)."""
    if target.label_type == "float":
        of_number = {float(name): name for name in target.classes}
        return np.array([of_number[float(label)] for label in labels], dtype=object)
    return labels.astype(str).astype(object)


def shown(values: Array) -> str:
    """Write the first numbers or labels of an array."""
    texts = [
        f"{value:.9g}" if isinstance(value, float) else str(value) for value in values.tolist()
    ]
    return ", ".join(texts[:6]) + (" ..." if len(texts) > 6 else "")
