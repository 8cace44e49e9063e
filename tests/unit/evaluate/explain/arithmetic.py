"""Models made of arithmetic, whose explanations are known in closed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from drivetrain.core.arrays import Columns, FloatVector
from drivetrain.core.contract import Column, Contract, Target

REGRESSION = Target(name="y", task="regression")
BINARY = Target(name="y", task="binary", classes=("no", "yes"), label_type="string")


class Formula:
    """Answers with a formula over number columns."""

    def __init__(self, formula: Callable[[Columns], FloatVector]) -> None:
        self.formula = formula
        self.rows_run = 0

    def run(self, columns: Columns) -> dict[str, np.ndarray]:
        values = self.formula(columns)
        self.rows_run += len(values)
        if values.dtype == np.float64:
            return {"prediction": values}
        labels = np.array(["no", "yes"], dtype=object)[(values > 0.5).astype(int)]
        return {"prediction": labels, "probabilities": np.stack([1 - values, values], axis=1)}


def contract_of(names: str, target: Target = REGRESSION) -> Contract:
    columns = tuple(Column(name=name, kind="number") for name in names)
    return Contract(columns=columns, target=target)


def numbers(names: str, rows: int, seed: int = 0) -> Columns:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=rows) for name in names}


def exact_shapley(
    formula: Callable[[Columns], FloatVector], row: Columns, background: Columns
) -> dict[str, float]:
    """Weigh the step of each column into each coalition of the others: the definition."""
    names = list(row)

    def value(known: tuple[str, ...]) -> float:
        mixed = {
            name: np.full_like(cells, row[name][0]) if name in known else cells
            for name, cells in background.items()
        }
        return float(formula(mixed).mean())

    found = {}
    for name in names:
        others = [other for other in names if other != name]
        total = 0.0
        for size in range(len(names)):
            weight = 1 / (len(names) * math.comb(len(names) - 1, size))
            for known in itertools.combinations(others, size):
                total += weight * (value((*known, name)) - value(known))
        found[name] = total
    return found
