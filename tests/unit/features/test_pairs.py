"""Features of two columns: arithmetic and groups."""

from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.contract import Column
from drivetrain.features.encode import run_encoder
from drivetrain.features.encoder import FittedEncoder, Target
from drivetrain.features.encoders.arithmetic import encoder as arithmetic
from drivetrain.features.encoders.group import encoder as group
from drivetrain.graph.blocks.number import FLOAT32_MAX

NUMBERS = {"a": np.array([6.0, 1.0, np.nan, 1e308]), "b": np.array([3.0, 0.0, 2.0, 1e-300])}
TOWNS = {
    "town": np.array(["x", "x", "y", "y", "z"], dtype=object),
    "price": np.array([1.0, 3.0, 10.0, np.nan, 50.0]),
}
ABOUT = (Column(name="town", kind="category"), Column(name="price", kind="number"))


def pair(operation: str) -> list[float]:
    about = (Column(name="a", kind="number"), Column(name="b", kind="number"))
    target = Target(np.arange(4.0), "regression")
    fitted = arithmetic.fit(NUMBERS, about, target, None, seed=0, operation=operation)
    return [float(value) for value in run_encoder(fitted, NUMBERS)[:, 0]]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("difference", [3.0, 1.0, np.nan, FLOAT32_MAX]),
        ("ratio", [2.0, np.nan, np.nan, FLOAT32_MAX]),
        ("product", [18.0, 0.0, np.nan, 1e8]),
    ],
)
def test_two_numbers_become_one(operation: str, expected: list[float]) -> None:
    assert pair(operation) == pytest.approx(expected, nan_ok=True)


def in_groups(about: tuple[Column, ...] = ABOUT) -> FittedEncoder:
    cells = {column.name: TOWNS[column.name] for column in about}
    return group.fit(cells, about, Target(np.arange(5.0), "regression"), None, seed=0)


def test_a_row_is_compared_with_its_group_and_an_unknown_group_is_everyone() -> None:
    cells = {
        "town": np.array(["x", "y", "z", "new"], dtype=object),
        "price": np.array([5.0, np.nan, 16.0, 16.0]),
    }
    made = run_encoder(in_groups(), cells)
    assert made[0].tolist() == pytest.approx([0.4, 2.0, 3.0])
    assert made[1].tolist() == pytest.approx([0.4, 10.0, np.nan], nan_ok=True)
    assert made[2].tolist() == made[3].tolist() == [0.0, 16.0, 0.0]  # z is too rare to be known


def test_without_a_number_a_group_is_its_share_of_the_rows() -> None:
    towns = Column(name="town", kind="category")
    again = Column(name="again", kind="category")
    cells = {"town": TOWNS["town"], "again": TOWNS["town"]}
    fitted = group.fit(cells, (towns, again), Target(np.arange(5.0), "regression"), None, seed=0)
    made = run_encoder(fitted, cells)
    assert made[:, 0].tolist() == pytest.approx([0.4, 0.4, 0.4, 0.4, 0.0])
