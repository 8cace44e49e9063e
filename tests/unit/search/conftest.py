"""Families that need no learning library, installed as another package would install them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from drivetrain.core.folds import Fold, Folds
from drivetrain.search.recipe import Recipe
from drivetrain.search.study import Problem, Study

FAMILIES = """
import os
import select

import numpy as np

from drivetrain.graph.blocks.linear import Linear
from drivetrain.models.family import Space


class Fitted:
    link = "identity"

    def __init__(self, slope, bias):
        self.slope, self.bias = slope, bias
        self.details = {"slope": float(slope), "pid": os.getpid()}

    def predict(self, X):
        return self.slope * X[:, :1].astype(np.float64) + self.bias

    def blocks(self):
        weights = np.zeros((1, 1))
        weights[0, 0] = self.slope
        return (Linear(weights, np.array([self.bias])),)


class Slope:
    tasks = ("regression",)

    def space(self, task, shape):
        return Space(defaults=({"slope": 1.0}, {"slope": 0.5}), encoding="linear")

    def fit(self, X, y, *, parameters, **rest):
        return Fitted(parameters["slope"], float(y.mean() - parameters["slope"] * X[:, 0].mean()))


class Stuck(Slope):
    def fit(self, X, y, **rest):
        select.select([], [], [], 60.0)


class Broken(Slope):
    def fit(self, X, y, **rest):
        raise ValueError("this family cannot fit")


class Fatal(Slope):
    def fit(self, X, y, **rest):
        os.abort()


class Greedy(Slope):
    def fit(self, X, y, **rest):
        return np.ones(100_000_000) and None  # 800 MB


slope, stuck, broken, fatal, greedy = Slope(), Stuck(), Broken(), Fatal(), Greedy()
"""

ENTRY_POINTS = "[drivetrain.family]\n" + "".join(
    f"{name} = test_only_families:{name}\n"
    for name in ("slope", "stuck", "broken", "fatal", "greedy")
)


@pytest.fixture
def plugged(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the families of this file where entry points are found, here and in workers."""
    site = tmp_path_factory.mktemp("site")
    (site / "test_only_families.py").write_text(FAMILIES)
    info = site / "test_only_families-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: test-only-families\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))
    return site


class MakeRecipe(Protocol):
    def __call__(self, family: str = "slope", *, seed: int = 0) -> Recipe: ...


@pytest.fixture
def make_recipe() -> MakeRecipe:
    """Makes Recipes over the matrix that :func:`study` holds, which has no encoders."""

    def make(family: str = "slope", *, seed: int = 0) -> Recipe:
        return Recipe(
            encoding="linear", encoders=(), family=family, parameters={"slope": 1.0}, seed=seed
        )

    return make


@pytest.fixture
def study(tmp_path: Path, make_recipe: MakeRecipe) -> Study:
    """A study of y = x + 1 over 12 rows in three folds, its matrix written."""
    x = np.arange(12.0)
    rows = np.arange(12)
    parts = tuple(Fold(fit=rows[rows % 3 != i], judge=rows[rows % 3 == i]) for i in range(3))
    problem = Problem(task="regression", classes=0, metric="rmse", folds=3)
    made = Study.create(
        tmp_path / "run", problem, x + 1.0, None, Folds(parts=parts, rows=12, kind="plain")
    )
    X = x[:, None].astype(np.float32)
    made.add_matrix(make_recipe().matrix, X, X[:5], places=np.zeros(0, np.int64))
    return made
