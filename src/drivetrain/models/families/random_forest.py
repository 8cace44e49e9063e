"""Random forest: each tree fitted on rows drawn with replacement, with the best thresholds.

Source: Breiman, "Random Forests", Machine Learning 45, 2001. It watches no rows, and on few rows
what it says out of fold is more to be believed than what is stopped by the rows that judge it.
"""

from __future__ import annotations

import math

from drivetrain.core.contract import Task
from drivetrain.models.family import Shape
from drivetrain.models.forest import Forests, Parameters


def _first(task: Task, shape: Shape) -> Parameters:
    share = 0.5 if task == "regression" else 1.0 / math.sqrt(max(shape.features, 1))
    return Parameters(
        trees=100, max_features=share, min_samples_leaf=max(3, min(50, shape.rows // 2000))
    )


family = Forests("random_forest", ("RandomForestClassifier", "RandomForestRegressor"), _first)
