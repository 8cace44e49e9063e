"""Tail probabilities in plain Python, and how to look at many of them at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from drivetrain.core.arrays import FloatVector, Mask

_SMALLEST = 1e-300
_PRECISION = 1e-15
_MOST_STEPS = 100_000


def normal_tail(z: float) -> float:
    """Return the chance that a standard normal lies above ``z``.

    Examples
    --------
    >>> round(normal_tail(1.96), 4)
    0.025
    """
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def two_sided(z: float) -> float:
    """Return the chance that a standard normal lies further from 0 than ``z``."""
    return math.erfc(abs(z) / math.sqrt(2.0))


def gamma_tail(shape: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(shape, x).

    By its series below ``shape + 1`` and its continued fraction above (Lentz's method), both good
    to about 1e-13. Source: Press et al., Numerical Recipes, 6.2.

    Parameters
    ----------
    shape
        > 0.
    x
        >= 0.
    """
    if x <= 0:
        return 1.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        return max(0.0, 1.0 - front * _series(shape, x))
    return min(1.0, front * _fraction(shape, x))


def _series(shape: float, x: float) -> float:
    term = total = 1.0 / shape
    for step in range(1, _MOST_STEPS):
        term *= x / (shape + step)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _fraction(shape: float, x: float) -> float:
    b = x + 1.0 - shape
    c, d = 1.0 / _SMALLEST, 1.0 / b
    value = d
    for step in range(1, _MOST_STEPS):
        a = -step * (step - shape)
        b += 2.0
        d = 1.0 / (_apart_from_zero(a * d + b))
        c = _apart_from_zero(b + a / c)
        value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return value


def _apart_from_zero(value: float) -> float:
    return value if abs(value) > _SMALLEST else _SMALLEST


def chi_square_tail(statistic: float, freedom: int) -> float:
    """Return the chance that a chi-square of ``freedom`` degrees exceeds ``statistic``.

    Examples
    --------
    >>> round(chi_square_tail(3.841458821, 1), 6)
    0.05
    """
    return gamma_tail(freedom / 2.0, statistic / 2.0) if freedom > 0 else 1.0


def benjamini_hochberg(p_values: Sequence[float], *, rate: float = 0.05) -> Mask:
    """Say which of many tests to believe, so that few of those believed are false.

    Parameters
    ----------
    p_values
        One for each test, in any order.
    rate
        Expected share of false ones among those believed, at most; also the chance to believe any
        where nothing is there.

    Returns
    -------
    Mask
        True where the test is believed, shape (tests,).
        Source: Benjamini and Hochberg, doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> benjamini_hochberg([0.03, 0.001, 0.8], rate=0.05).tolist()
    [True, True, False]
    """
    p: FloatVector = np.asarray(p_values, dtype=np.float64)
    if not len(p):
        return np.zeros(0, dtype=bool)
    order = np.argsort(p, kind="stable")
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))
    believed = np.zeros(len(p), dtype=bool)
    if len(passed):
        believed[order[: passed[-1] + 1]] = True
    return believed
