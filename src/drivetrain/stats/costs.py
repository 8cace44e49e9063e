"""What a wrong label costs, and the label that costs least in the mean.

With honest probabilities the best label is the one with the least expected cost (Elkan, IJCAI
2001); of two classes that is a threshold. So stated costs take the place of a tuned one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drivetrain.core.arrays import Array, FloatMatrix, FloatVector
from drivetrain.core.errors import SettingError

USUAL = 1.0  # of a wrong label of which nothing is said


def cost_matrix(costs: Sequence[str], classes: Sequence[str]) -> FloatMatrix:
    """Read costs as they are given: ``TRUE:PREDICTED=COST``.

    Parameters
    ----------
    costs
        A right label costs 0 and a wrong one 1, where nothing is said of it.
    classes
        In the order of the matrix.

    Returns
    -------
    FloatMatrix
        (K, K), what it costs to answer the column's class where the row's is true.

    Raises
    ------
    SettingError
        If a text is no such cost, names no two classes, or no cost is above 0.

    Examples
    --------
    >>> cost_matrix(["fraud:ok=50"], ["fraud", "ok"]).tolist()
    [[0.0, 50.0], [1.0, 0.0]]
    """
    found = np.full((len(classes), len(classes)), USUAL)
    np.fill_diagonal(found, 0.0)
    pairs = {f"{true}:{said}": (i, j) for i, true in enumerate(classes)
             for j, said in enumerate(classes)}  # fmt: skip
    for text in costs:
        pair, _, amount = text.rpartition("=")
        try:
            cost = float(amount)
        except ValueError:
            cost = np.nan
        if pair.strip() not in pairs or not np.isfinite(cost):
            shown = ", ".join(classes[:6])
            raise _refused(text, f"TRUE:PREDICTED=COST with classes of {shown}")
        found[pairs[pair.strip()]] = cost
    if np.any(found.min(axis=1) < np.diag(found)) or not np.any(found > found.min()):
        raise _refused(", ".join(costs), "costs by which the right label is never the dearer one")
    return found


def threshold_of(costs: FloatMatrix) -> float:
    """Return the probability of the second class above which it is the cheaper label, in (0, 1).

    Examples
    --------
    >>> threshold_of(np.array([[0.0, 1.0], [4.0, 0.0]]))
    0.2
    """
    wrong_second, wrong_first = costs[0, 1] - costs[0, 0], costs[1, 0] - costs[1, 1]
    return float(wrong_second / (wrong_second + wrong_first))


def expected_costs(probabilities: FloatMatrix, costs: FloatMatrix) -> FloatMatrix:
    """Return what each label costs in the mean, (n, K), at probabilities (n, K)."""
    return np.asarray(probabilities.astype(np.float64) @ costs)


def costs_of(y: FloatVector, labels: Array, costs: FloatMatrix) -> FloatVector:
    """Return what each row costs, (n,), by its true class number and its label's, (n,) both."""
    found: FloatVector = costs[y.astype(np.int64), labels.astype(np.int64)]
    return found


def _refused(got: str, expected: str) -> SettingError:
    return SettingError(
        where="setting 'costs'",
        expected=expected,
        got=f"'{got}'",
        remedy="For example --costs 'fraud:ok=50', what it costs to call a fraud ok.",
        code="DT2KC",
    )
