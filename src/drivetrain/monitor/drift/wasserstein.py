"""How far numbers moved: Wasserstein distance over the bins, in the reference's own spread.

The area between both distribution functions, known at the edges of the bins and drawn straight
between them, divided by the distance between the reference's first and ninth tenth.
"""

from __future__ import annotations

import numpy as np

from drivetrain.core.arrays import FloatVector
from drivetrain.monitor.drift_test import Measured, Shape, is_timeless
from drivetrain.monitor.reference import SubjectReference
from drivetrain.stats.sketch import ColumnSketch, Cuts


class Wasserstein:
    """Shows how far, where chi-square says only that; chance alone is taken off."""

    shapes: tuple[Shape, ...] = ("cuts",)
    decides = False
    floor = 0.1

    def run(self, reference: SubjectReference, window: ColumnSketch) -> Measured | None:
        """Compare distribution functions at the edges of the bins."""
        bins = reference.bins
        if not isinstance(bins, Cuts) or not bins.edges or not is_timeless(reference):
            return None
        if not window.present or not reference.sketch.present:
            return None
        places = _places(bins, window)
        was = np.append(np.append(0.0, np.cumsum(reference.sketch.shares())), 1.0)[:-1]
        now = np.append(0.0, np.cumsum(window.shares()))
        width = np.diff(places)
        scale = _scale(places, was)
        per_row = 1 / window.present + 1 / reference.sketch.present
        middle = (was[:-1] + was[1:]) / 2
        noise = float((np.sqrt(2 / np.pi * per_row * middle * (1 - middle)) * width).sum()) / scale
        moved = float((np.abs(_mean_gap(now - was)) * width).sum()) / scale
        return Measured(
            effect=max(0.0, moved - noise),
            expected=noise,
            words=f"it moved by {moved:.1%} of its spread",
        )


def _places(bins: Cuts, window: ColumnSketch) -> FloatVector:
    """Return the outer ends and the edges; ends reach as far as either side does."""
    low = min(value for value in (bins.low, window.low, bins.edges[0]) if value is not None)
    high = max(value for value in (bins.high, window.high, bins.edges[-1]) if value is not None)
    most = np.finfo(np.float64).max / 4
    places: FloatVector = np.clip(np.array([low, *bins.edges, high]), -most, most)
    return places


def _scale(places: FloatVector, was: FloatVector) -> float:
    first, last = np.interp([0.1, 0.9], was, places)
    spread = float(last - first) or float(places[-1] - places[0])
    return spread if spread > 0 else 1.0


def _mean_gap(gap: FloatVector) -> FloatVector:
    """Mean of the absolute gap between neighbours, which may cross zero."""
    left, right = gap[:-1], gap[1:]
    whole = np.abs(left) + np.abs(right)
    crossing = (left**2 + right**2) / np.where(whole > 0, 2 * whole, 1.0)
    mean: FloatVector = np.where(left * right >= 0, whole / 2, crossing)
    return mean


drift = Wasserstein()
