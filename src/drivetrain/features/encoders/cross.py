"""A cross of two or more columns: their joined text as the mean of the target, out of fold.

Missing is a text like any other. A combination not seen (or in fewer than ``min_count`` rows, or
past ``limit``) is the overall mean; its rank is the one after the last. A number is taken by its
whole value; numbers that are not whole are one level.
"""

from __future__ import annotations

from typing import Any

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.target_means import Parameters, fit_target_means


class CrossEncoder:
    """Several category-like columns as one feature, or K for K > 2 classes, with rank or count."""

    kinds: tuple[Kind, ...] = ("category", "boolean", "number")
    many = True

    def fit(
        self,
        columns: Columns,
        about: tuple[Column, ...],
        target: Target,
        weight: FloatVector | None,
        *,
        seed: int,
        **parameters: Any,
    ) -> FittedEncoder:
        options = settings.build(Parameters, parameters, source="encoder 'cross'")
        return fit_target_means(columns, about, target, weight, options)


encoder = CrossEncoder()
