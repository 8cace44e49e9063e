"""Numbers: as they are for trees, centred and scaled for linear models.

========  =======================================  ============================================
cell      ``scale=False``                          ``scale=True``
========  =======================================  ============================================
missing   NaN                                      0, the median; and a flag, if training had any
±inf      ± the largest float32                    ±10
wide      centred in double if float32 would       centred and scaled in double, clipped to ±10
          merge different numbers
========  =======================================  ============================================
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.flagged import with_missing_flag
from drivetrain.graph.blocks.number import Number

CLIP = 10.0  # in units of the spread: an outlier may not own a linear model
MERGED_SHARE = 0.01  # a column is wide if float32 merges more of its different numbers than this


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    scale: Annotated[
        bool, msgspec.Meta(description="centre and scale, fill missing with the median")
    ] = False


class NumberEncoder:
    """One number column as one feature, and a missing flag where it is filled."""

    kinds: tuple[Kind, ...] = ("number",)
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
        options = settings.build(Parameters, parameters, source="encoder 'number'")
        (column,) = about
        values = columns[column.name]
        finite = values[np.isfinite(values)]
        if not options.scale:
            block = Number(column.name, "features", center=_center_if_wide(finite))
            return FittedEncoder((block,), (column.name,))
        has_missing = bool(np.isnan(values).any())
        return with_missing_flag([scaled(column.name, finite)], column, has_missing=has_missing)


def scaled(column: str, finite: FloatVector) -> Number:
    """Return the block that centres and scales a column by its finite numbers."""
    return Number(
        column,
        "features",
        center=middle(finite),
        scale=1.0 / spread(finite),
        low=-CLIP,
        high=CLIP,
        fill=0.0,
    )


def spread(finite: FloatVector) -> float:
    """Return the interquartile range, or the standard deviation where that is 0, or 1.

    Half the numbers of a column such as capital gains are the same, so their quartiles are too.
    """
    if not len(finite):
        return 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = np.quantile(finite, [0.25, 0.75])
        for candidate in (high - low, finite.std()):
            # Outside of these bounds the reciprocal, or a product with it, may be 0 * inf.
            if 1e-150 < candidate < 1e150:
                return float(candidate)
    return 1.0


def middle(finite: FloatVector) -> float:
    """Return the median, or 0 of no numbers."""
    if not len(finite):
        return 0.0
    # The lower middle, never a mean of two: a sum of two huge numbers overflows.
    return float(np.partition(finite, (len(finite) - 1) // 2)[(len(finite) - 1) // 2])


def _center_if_wide(finite: FloatVector) -> float:
    different = np.unique(finite)
    with np.errstate(over="ignore"):
        center = middle(finite)
        plain = len(np.unique(different.astype(np.float32)))
        centred = len(np.unique((different - center).astype(np.float32)))
    is_wide = plain < (1.0 - MERGED_SHARE) * len(different) and centred > plain
    return center if is_wide else 0.0


encoder = NumberEncoder()
