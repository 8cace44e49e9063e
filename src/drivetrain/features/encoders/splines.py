"""Numbers as a bent line: the number itself, and how far it is along each piece between knots.

A linear model that weighs the pieces answers with any curve of straight pieces: a generalised
additive model (Hastie & Tibshirani, Statistical Science 1986). Knots are quantiles, closer to each
other in the tails, so that a long tail is bent as its logarithm would be. Beyond the least and the
greatest number of training the pieces are level. Missing is the median, with a flag beside it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Kind
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.encoders.number import middle, scaled
from drivetrain.features.flagged import with_missing_flag
from drivetrain.graph.blocks.number import Number

TAILS = (0.0, 0.02)  # shares of the rows below the first knots, and above the last
NARROWEST, WIDEST = 1e-150, 1e150  # lengths that a double can be divided by, and multiplied


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the encoder."""

    knots: Annotated[
        int, msgspec.Meta(ge=4, le=64, description="between which a curve is straight, at most")
    ] = 11


class SplinesEncoder:
    """One number column as itself, centred and scaled, and its place along each piece, 0 to 1."""

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
        options = settings.build(Parameters, parameters, source="encoder 'splines'")
        (column,) = about
        values = columns[column.name]
        finite = values[np.isfinite(values)]
        knots = _knots(finite, options.knots)
        fill = middle(finite)
        pieces = [_piece(column.name, low, high, fill) for low, high in pairwise(knots)]
        return with_missing_flag(
            [scaled(column.name, finite), *pieces],
            column,
            names=(column.name, *(f"{column.name} above {low:g}" for low in knots[:-1])),
            has_missing=bool(np.isnan(values).any()),
        )


def _knots(finite: FloatVector, count: int) -> list[float]:
    """Return quantiles that are far enough apart to be divided by, rising; none of fewer than 3."""
    if not len(finite):
        return []
    inner = np.linspace(0.0, 1.0, count - 2)[1:-1]
    shares = np.concatenate([TAILS, inner, 1.0 - np.flip(TAILS)])
    found: list[float] = []
    for knot in np.quantile(finite, shares, method="lower").tolist():
        if not found or NARROWEST < knot - found[-1] < WIDEST:
            found.append(knot)
    return found if len(found) > 2 else []  # one piece is the number itself


def _piece(column: str, low: float, high: float, fill: float) -> Number:
    scale = 1.0 / (high - low)
    filled = min(max((fill - low) * scale, 0.0), 1.0)
    return Number(column, "", center=low, scale=scale, low=0.0, high=1.0, fill=filled)


encoder = SplinesEncoder()
