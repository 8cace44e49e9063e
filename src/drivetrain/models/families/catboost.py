"""CatBoost: gradient boosting of symmetric trees, on drivetrain's own encodings.

Source: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS
2018. All nodes of a level ask the same question, which regularises and needs few settings. Its own
categorical features cannot become a graph, so categories come encoded. Sums are in double.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.trees import Trees
from drivetrain.models.family import Budget, Link, Range, Shape, Space, Validation

LOSSES = {"binary": "Logloss", "multiclass": "MultiClass", "regression": "RMSE"}
LINKS: dict[Task, Link] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}
MOST_ROUNDS = 3000


@dataclass(frozen=True)
class FittedCatBoost:
    """A model, cut at its best round."""

    model: Any
    link: Link
    targets: int
    details: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: Features) -> FloatMatrix:
        """Return the model's own raw values, float64 (n, t)."""
        raw = self.model.predict(X, prediction_type="RawFormulaVal", thread_count=1)
        return np.asarray(raw, np.float64).reshape(len(X), self.targets)

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of trees; a symmetric tree of depth d is 2^d - 1 nodes in it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            self.model.save_model(str(path), format="json")
            model = json.loads(path.read_bytes())
        return (_trees(model, self.targets),)


class _Clock:
    """Stops the boosting when the budget is spent."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def after_iteration(self, info: Any) -> bool:
        return self.budget.remaining_s() > 0


class CatBoost:
    """Fits CatBoost on float32 features; NaN is smaller than every number."""

    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    libraries = ("catboost",)

    def space(self, task: Task, shape: Shape) -> Space:
        """Return CatBoost's own default with a rate for small budgets, and TabArena's ranges."""
        first = {"learning_rate": 0.08, "depth": 6, "l2_leaf_reg": 3.0, "random_strength": 1.0}
        second = {"learning_rate": 0.1, "depth": 8, "l2_leaf_reg": 3.0, "random_strength": 0.8}
        return Space(
            defaults=(first, second) if task == "regression" else (first,),
            ranges={
                "learning_rate": Range(low=0.02, high=0.15, log=True),
                "depth": Range(low=4, high=8, integer=True),
                "l2_leaf_reg": Range(low=0.1, high=10.0, log=True),
                "random_strength": Range(low=0.0, high=2.0),
                "leaf_estimation_iterations": Range(low=1, high=10, integer=True),
            },
            encoding="trees",
        )

    def fit(
        self,
        X: Features,
        y: FloatVector,
        *,
        task: Task,
        classes: int,
        metric: str,
        weight: FloatVector | None,
        validation: Validation | None,
        parameters: dict[str, Any],
        budget: Budget,
        seed: int,
    ) -> FittedCatBoost:
        """Boost until the validation rows stop to improve, or the budget is spent."""
        import catboost

        settings = {
            "loss_function": LOSSES[task],
            "boosting_type": "Plain",
            "thread_count": budget.threads,
            "random_seed": seed,
            "allow_writing_files": False,
            "logging_level": "Silent",
            **({"classes_count": classes} if task == "multiclass" else {}),
            **parameters,
        }
        settings["iterations"] = settings.pop("rounds", MOST_ROUNDS)
        judge = None
        if validation is not None:
            judge = catboost.Pool(validation.X, validation.y, weight=validation.weight)
            settings["od_type"] = "Iter"
            settings["od_wait"] = max(20, min(60, round(3.0 / settings["learning_rate"])))
            settings["use_best_model"] = True
        model = catboost.CatBoost(settings)
        model.fit(catboost.Pool(X, y, weight=weight), eval_set=judge, callbacks=[_Clock(budget)])
        return FittedCatBoost(
            model=model,
            link=LINKS[task],
            targets=classes if task == "multiclass" else 1,
            details={"rounds": model.tree_count_},
        )


def _trees(model: dict[str, Any], targets: int) -> Trees:
    """Write symmetric trees out as nodes, one copy for each target.

    Split i of a tree sets bit i of the leaf's number where ``x > border``. The node for the last
    split is the root, so that the leaves stand in their order from left to right. NaN counts as
    the smallest number, except where the model says it was the largest in training.
    """
    floats = {one["feature_index"]: one for one in model["features_info"]["float_features"]}
    scale, bias = model["scale_and_bias"]
    parts: dict[str, list[Any]] = {name: [] for name in ("feature", "threshold", "missing")}
    left: list[Any] = []
    right: list[Any] = []
    roots, target, leaf = [], [], []
    nodes = leaves = 0
    for tree in model["oblivious_trees"]:
        splits = list(reversed(tree.get("splits") or []))
        depth = len(splits)
        inner = 2**depth - 1
        level = np.repeat(np.arange(depth), 2 ** np.arange(depth)).astype(int)
        about = [floats[split["float_feature_index"]] for split in splits]
        columns = np.asarray([one["flat_feature_index"] for one in about], np.int32)
        borders = np.asarray([split["border"] for split in splits], np.float64)
        to_left = np.asarray([one["nan_value_treatment"] != "AsTrue" for one in about], bool)
        values = np.asarray(tree["leaf_values"], np.float64).reshape(2**depth, targets)
        first = np.arange(inner) * 2 + 1
        for one in range(targets):
            parts["feature"].append(columns[level])
            parts["threshold"].append(borders[level])
            parts["missing"].append(to_left[level])
            for side, children in ((left, first), (right, first + 1)):
                side.append(
                    np.where(children < inner, nodes + children, ~(leaves + children - inner))
                )
            roots.append(nodes if inner else ~leaves)
            target.append(one)
            leaf.append(values[:, one] * scale)
            nodes += inner
            leaves += 2**depth
    return Trees(
        feature=np.concatenate(parts["feature"]).astype(np.int32),
        threshold=np.concatenate(parts["threshold"]),
        left=np.concatenate(left).astype(np.int32),
        right=np.concatenate(right).astype(np.int32),
        missing_left=np.concatenate(parts["missing"]).astype(bool),
        roots=np.asarray(roots, np.int32),
        target=np.asarray(target, np.int32),
        leaf=np.concatenate(leaf),
        targets=targets,
        base=np.broadcast_to(np.asarray(bias, np.float64).ravel(), (targets,)).copy(),
    )


family = CatBoost()
