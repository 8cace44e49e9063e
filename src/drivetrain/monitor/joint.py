"""How columns move together in the reference: correlations of standardised places.

A column's place is the normal score of its bin, or for texts what the model answers there. Kept
are the correlations of up to 60 columns, those that the answers depend on most, and how much a
product of two places varies, so that a window's correlations can be tested at any length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector, IndexVector
from drivetrain.stats.joint_sketch import JointSketch, sketch_joint
from drivetrain.stats.sketch import ColumnSketch

MOST_COLUMNS = 60
EXPLAINED = 0.65  # share of the variance that the kept components explain, as NannyML has it
SURE = 4.0  # standard errors from which on a correlation is no chance, among 1,770 of them


class JointReference(msgspec.Struct, frozen=True, kw_only=True):
    """Correlations over ``rows`` reference rows.

    ``correlations`` and ``spreads`` (standard deviations of the products) are upper triangles
    without the diagonal, row by row. ``error_mean`` and ``error_spread`` are of the squared
    distance between a row and its projection on the main components.
    """

    columns: tuple[str, ...]
    rows: int
    correlations: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()
    error_mean: float = 0.0
    error_spread: float = 0.0

    def matrix(self, triangle: Sequence[float] | FloatVector, diagonal: float) -> FloatMatrix:
        """Return the symmetric matrix of an upper triangle, shape (d, d)."""
        d = len(self.columns)
        full: FloatMatrix = np.zeros((d, d))
        full[np.triu_indices(d, 1)] = triangle
        return full + full.T + diagonal * np.eye(d)

    def only(self, names: set[str]) -> JointReference:
        """Return the reference of fewer columns; without the projection, which was of all."""
        kept = [place for place, name in enumerate(self.columns) if name in names]
        if len(kept) == len(self.columns):
            return self
        upper = np.triu_indices(len(kept), 1)
        inner = np.ix_(kept, kept)
        return msgspec.structs.replace(
            self,
            columns=tuple(self.columns[place] for place in kept),
            correlations=tuple(self.matrix(self.correlations, 1.0)[inner][upper].tolist()),
            spreads=tuple(self.matrix(self.spreads, 1.0)[inner][upper].tolist()),
            error_mean=0.0,
            error_spread=0.0,
        )

    def residual(self) -> FloatMatrix:
        """Return the projection on what the main components leave, shape (d, d).

        Correlations that chance alone may have made are taken as none: components fitted to chance
        would fit the reference better than any later window.
        """
        found, spreads = np.array(self.correlations), np.array(self.spreads)
        sure = np.abs(found) > SURE * spreads / np.sqrt(max(1, self.rows))
        values, vectors = np.linalg.eigh(self.matrix(np.where(sure, found, 0.0), 1.0))
        values, vectors = values[::-1], vectors[:, ::-1]
        explained = np.cumsum(np.clip(values, 0, None)) / max(1e-12, np.clip(values, 0, None).sum())
        main = vectors[:, : int(np.searchsorted(explained, EXPLAINED)) + 1]
        left: FloatMatrix = np.eye(len(self.columns)) - main @ main.T
        return left


def typical_places(sketch: ColumnSketch, answer: FloatVector | None) -> FloatVector:
    """Return the standardised place of each slot, the bins and then missing (0).

    Parameters
    ----------
    answer
        Mean answer in each slot, for texts, which have no order of their own; None for numbers,
        whose bins stand at the normal scores of their middle ranks.
    """
    counts = np.array(sketch.counts, dtype=np.float64)
    n = max(1.0, counts.sum())
    if answer is None:
        ranks = (np.cumsum(counts) - counts / 2) / n
        place = _normal_quantile(np.clip(ranks, 0.5 / n, 1 - 0.5 / n))
    else:
        place = answer[:-1]
    mean = float(counts @ place) / n
    spread = float(np.sqrt(counts @ (place - mean) ** 2 / n))
    if spread < 1e-9:
        return np.zeros(len(counts) + 1)
    return np.append(np.clip((place - mean) / spread, -5.0, 5.0), 0.0)


def standardised(typical: Mapping[str, FloatVector], places: Mapping[str, IndexVector],
                 names: Sequence[str]) -> FloatMatrix:  # fmt: skip
    """Return each row's places, shape (n, d); missing is place -1, which is the last slot."""
    rows = len(places[names[0]]) if names else 0
    matrix: FloatMatrix = np.empty((rows, len(names)))
    for column, name in enumerate(names):
        matrix[:, column] = typical[name][places[name]]
    return matrix


def make_joint(
    typical: Mapping[str, Sequence[float]],
    places: Mapping[str, IndexVector],
    order: Sequence[str],
) -> JointReference:
    """Sum up the reference rows; ``order`` says which columns matter most."""
    table = {name: np.array(values) for name, values in typical.items()}
    varying = [name for name in order if np.any(table[name] != 0)][:MOST_COLUMNS]
    names = tuple(sorted(varying))
    if len(names) < 2:
        return JointReference(columns=(), rows=0)
    matrix = standardised(table, places, names)
    sketch = sketch_joint(matrix)
    upper = np.triu_indices(len(names), 1)
    found = JointReference(
        columns=names,
        rows=sketch.rows,
        correlations=_rounded(sketch.correlations()[upper]),
        spreads=_rounded(_product_spreads(matrix, sketch)[upper]),
    )
    errors = np.einsum("ni,ij,nj->n", matrix, found.residual(), matrix, optimize=True)
    return msgspec.structs.replace(
        found, error_mean=round(float(errors.mean()), 6), error_spread=round(float(errors.std()), 6)
    )


def _product_spreads(matrix: FloatMatrix, sketch: JointSketch) -> FloatMatrix:
    squares = matrix**2
    second = squares.T @ squares / max(1, sketch.rows)
    mean = sketch.products / max(1, sketch.rows)
    spreads: FloatMatrix = np.sqrt(np.clip(second - mean**2, 0.0, None))
    return spreads


def _rounded(values: FloatVector) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def _normal_quantile(share: FloatVector) -> FloatVector:
    """Return standard normal quantiles, good to 4.5e-4: a place needs no more.

    Source: Abramowitz and Stegun, 26.2.23.
    """
    tail = np.minimum(share, 1 - share)
    t = np.sqrt(-2 * np.log(tail))
    top = 2.515517 + t * (0.802853 + t * 0.010328)
    bottom = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    value = t - top / bottom
    quantile: FloatVector = np.where(share < 0.5, -value, value)
    return quantile
