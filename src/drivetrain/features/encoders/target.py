"""Categories as the mean of the target, out of fold, smoothed toward the overall mean.

Missing is a level of its own if training had it. Unseen (and a level in fewer than ``min_count``
rows, or past ``limit``) is the overall mean; its rank is the one after the last. A number is taken
by its whole value; numbers that are not whole are one level.
"""

from __future__ import annotations

from typing import Any

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.target_means import Parameters, fit_target_means


class TargetEncoder:
    """One category-like column as one feature, or K for K > 2 classes; rank or count on request."""

    kinds: tuple[Kind, ...] = ("category", "boolean", "number")
    many = False

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
        options = settings.build(Parameters, parameters, source="encoder 'target'")
        return fit_target_means(columns, about, target, weight, options)


encoder = TargetEncoder()
