"""Sketch of how columns move together: sums of products of their standardised places.

Each column is turned into one number a row, standardised over the reference's bins. The sums and
the sums of products over a window give its correlations, whatever its length, in d squared numbers
for d columns; windows merge by adding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivetrain.core.arrays import FloatMatrix, FloatVector


@dataclass(frozen=True)
class JointSketch:
    """Sums over rows of standardised columns: ``total`` (d,), ``products`` (d, d)."""

    rows: int
    total: FloatVector
    products: FloatMatrix

    def merged(self, other: JointSketch) -> JointSketch:
        """Return the sketch of the rows of both."""
        return JointSketch(
            self.rows + other.rows, self.total + other.total, self.products + other.products
        )

    def covariance(self) -> FloatMatrix:
        """Return the covariance of the columns over the rows, shape (d, d)."""
        n = max(1, self.rows)
        mean = self.total / n
        covariance: FloatMatrix = self.products / n - np.outer(mean, mean)
        return covariance

    def correlations(self) -> FloatMatrix:
        """Return the correlations; 0 where a column does not vary, shape (d, d)."""
        covariance = self.covariance()
        spread = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
        scale = np.outer(spread, spread)
        found: FloatMatrix = np.zeros_like(covariance)
        np.divide(covariance, scale, out=found, where=scale > 1e-9)
        return found


def sketch_joint(standardised: FloatMatrix) -> JointSketch:
    """Sum rows of standardised columns, shape (n, d), missing cells 0."""
    return JointSketch(len(standardised), standardised.sum(axis=0), standardised.T @ standardised)


def empty_joint(columns: int) -> JointSketch:
    """Return the sketch of no rows."""
    return JointSketch(0, np.zeros(columns), np.zeros((columns, columns)))
