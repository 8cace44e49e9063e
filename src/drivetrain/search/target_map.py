"""Transforms of a regression's target: what models learn instead of it, undone in the graph.

A transform is a rising curve of straight pieces, so that its inverse is one as well: models are
fitted on ``map.forward(y)``, and the curve back is a block between their margin and the blend.
Which transform is worth while is decided out of fold, like every other part of a Recipe.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector
from drivetrain.graph.blocks.ramps import Ramps
from drivetrain.models.objective import quantile_of

MapKind: TypeAlias = Literal["log", "quantile"]

PIECES = 64
RELATIVE = ("rmsle", "mape")  # metrics of relative errors
LONG_TAIL = 3.0  # the upper half of the middle 98 % is so many times as long as the lower
HEAVY_TAILS = 8.0  # the middle 99 % is so many times as long as the middle half
FEWEST_VALUES = 20  # of a target that is no count of a few


class TargetMap(msgspec.Struct, frozen=True, kw_only=True):
    """One transform: ``mapped`` is what models see at the target's ``values``; both rise."""

    kind: MapKind
    values: tuple[float, ...]
    mapped: tuple[float, ...]

    def forward(self, y: FloatVector) -> FloatVector:
        """Return what models are fitted on, float64 (n,)."""
        curve = Ramps("", "", np.asarray(self.values), np.asarray(self.mapped))
        return curve.at(y[:, None])[:, 0]

    def back(self, margin: FloatMatrix) -> FloatMatrix:
        """Return values of the target from margins, both float64 (n, 1)."""
        return self.curve().at(margin)

    def curve(self, input: str = "margin", output: str = "probability") -> Ramps:
        """Return the block that does what :meth:`back` does."""
        return Ramps(input, output, np.asarray(self.mapped), np.asarray(self.values))


def find_maps(y: FloatVector, metric: str) -> tuple[TargetMap, ...]:
    """Return the transforms that are worth a trial for this target and metric, the likeliest first.

    ``log`` for a positive target with one long tail, and for metrics of relative errors;
    ``quantile``, by which the target's values become normal, where the tails are heavy and there
    is no logarithm, or the metric asks for a quantile, which every rising curve keeps.

    Examples
    --------
    >>> y = np.exp(np.random.default_rng(0).normal(size=1000) * 2)
    >>> [found.kind for found in find_maps(y, "mae")]
    ['log', 'quantile']
    >>> find_maps(np.random.default_rng(0).normal(size=1000), "rmse")
    ()
    """
    different = np.unique(y)
    if len(different) < FEWEST_VALUES:
        return ()
    low, first, middle, third, high = np.quantile(y, [0.01, 0.25, 0.5, 0.75, 0.99])
    found = []
    positive = different[0] >= 0
    if positive and (metric in RELATIVE or high - middle > LONG_TAIL * (middle - low)):
        found.append(_log(different, metric))
    keeps = not found or quantile_of(metric) is not None
    if keeps and high - low > HEAVY_TAILS * (third - first) > 0:
        found.append(_quantile(y))
    return tuple(one for one in found if one is not None)


def _log(different: FloatVector, metric: str) -> TargetMap | None:
    """Return ``ln(unit + y)``: the unit is 1 for RMSLE, which is defined so, else a small value."""
    unit = 1.0 if metric == "rmsle" else float(np.quantile(different, 0.05)) or float(different[1])
    low, high = float(different[0]), float(different[-1])
    if not high / unit < 1e12:
        return None
    logs = np.linspace(np.log(unit + low), np.log(unit + high), PIECES + 1)
    return _of("log", np.exp(logs) - unit, logs)


def _quantile(y: FloatVector) -> TargetMap | None:
    from scipy.special import ndtri

    shares = np.linspace(0.0, 1.0, PIECES + 1)
    inner = np.clip(shares, 0.5 / len(y), 1 - 0.5 / len(y))
    return _of("quantile", np.quantile(y, shares), ndtri(inner))


def _of(kind: MapKind, values: FloatVector, mapped: FloatVector) -> TargetMap | None:
    """Keep the knots between which both sides rise by enough to divide by."""
    size = float(np.abs(values).max())
    values, first = np.unique(values, return_index=True)
    rises = np.concatenate([[True], np.diff(values) > 1e-9 * size])
    values, mapped = values[rises], mapped[first][rises]
    if len(values) < 3:
        return None
    return TargetMap(kind=kind, values=tuple(values.tolist()), mapped=tuple(mapped.tolist()))
