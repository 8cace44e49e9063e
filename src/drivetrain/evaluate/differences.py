"""Differences between arrays, as the proof counts them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.core.contract import Target
from drivetrain.graph.head import Expected

TOLERANCE = 1e-5  # of a probability; of a value relative to the larger of it and the scale


def relative(got: Array, expected: FloatMatrix, scale: float) -> FloatMatrix:
    """Return |got - expected| / max(|expected|, scale); 0 where both are NaN, inf where one is."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(got - expected) / np.maximum(np.abs(expected), scale)
    both = (np.isnan(got) & np.isnan(expected)) | (got == expected)
    return np.where(both, 0.0, np.where(np.isnan(difference), np.inf, difference))


def off_by(right: Expected, got: Array, scale: float) -> FloatVector:
    """Return how far each row of an output is from what it must be, (n,).

    A flag that differs is as far off as it is from where it turns.
    """
    if right.distance is None:
        off = relative(got, right.values, scale)
    else:
        off = np.where(got != right.values, right.distance, 0.0)
    return np.asarray(off.reshape(len(off), -1).max(axis=1, initial=0.0))


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
