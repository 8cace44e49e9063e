"""Extra trees: a forest with random thresholds, each tree fitted on all rows.

Source: Geurts, Ernst & Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006.
"""

from __future__ import annotations

from drivetrain.core.contract import Task
from drivetrain.models.family import Shape
from drivetrain.models.forest import Forests, Parameters


def _first(task: Task, shape: Shape) -> Parameters:
    leaf = max(1, min(50, shape.rows // 4000))
    return Parameters(trees=100 if shape.rows <= 5_000 else 60, min_samples_leaf=leaf)


family = Forests("extra_trees", ("ExtraTreesClassifier", "ExtraTreesRegressor"), _first)
