"""CatBoost: gradient boosting of symmetric trees, on drivetrain's own encodings.

Source: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features", NeurIPS
2018. All nodes of a level ask the same question, which regularises and needs few settings. Its own
categorical features cannot become a graph, so categories come encoded. Sums are in double.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Features, FloatMatrix, FloatVector, IndexVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.trees import Trees
from drivetrain.models.constant import ABSENT_MARGIN, fit_constant
from drivetrain.models.family import Budget, Fitted, Link, Range, Shape, Space, Validation
from drivetrain.models.objective import quantile_of, standard_of
from drivetrain.models.pace import Pace

LOSSES = {"binary": "Logloss", "multiclass": "MultiClass", "regression": "RMSE"}
LINKS: dict[Task, Link] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}
WITHOUT_VALIDATION = 300  # rounds where nothing tells when to stop


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the family; CatBoost's own names."""

    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.08
    depth: Annotated[int, msgspec.Meta(ge=1, le=10)] = 6
    l2_leaf_reg: Annotated[float, msgspec.Meta(ge=0)] = 3.0
    random_strength: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    leaf_estimation_iterations: Annotated[
        int, msgspec.Meta(ge=0, le=20, description="0: CatBoost's own for the loss")
    ] = 0
    rounds: Annotated[int, msgspec.Meta(ge=1, description="most rounds")] = 3000


@dataclass(frozen=True)
class FittedCatBoost:
    """A model, cut at its best round.

    ``scale`` and ``shift`` undo the standardising of a regression's target.
    """

    model: Any
    link: Link
    targets: int
    present: IndexVector  # the classes that fitted rows have, or [0]
    scale: float = 1.0
    shift: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: Features) -> FloatMatrix:
        """Return the model's own raw values, float64 (n, t)."""
        raw = self.model.predict(X, prediction_type="RawFormulaVal", thread_count=1)
        wide = np.full((len(X), self.targets), ABSENT_MARGIN)
        wide[:, self.present] = np.asarray(raw, np.float64).reshape(len(X), -1)
        return wide * self.scale + self.shift

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of trees; a symmetric tree of depth d is 2^d - 1 nodes in it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            self.model.save_model(str(path), format="json")
            model = json.loads(path.read_bytes())
        trees = _trees(model, self.targets, self.present)
        return (
            replace(trees, leaf=trees.leaf * self.scale, base=trees.base * self.scale + self.shift),
        )


class _Clock:
    """Stops the boosting when the budget is spent."""

    def __init__(self, budget: Budget) -> None:
        self._pace = Pace(budget)

    def after_iteration(self, info: Any) -> bool:
        return not self._pace.is_over()


class CatBoost:
    """Fits CatBoost on float32 features; NaN is smaller than every number."""

    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    libraries = ("catboost",)

    def space(self, task: Task, shape: Shape) -> Space:
        """Return CatBoost's own default with a rate for small budgets, and TabArena's ranges."""
        first = msgspec.to_builtins(Parameters())
        deep = msgspec.to_builtins(Parameters(depth=8, learning_rate=0.1))
        return Space(
            defaults=(first, deep) if task == "regression" else (first,),
            ranges={
                "learning_rate": Range(low=0.02, high=0.15, log=True),
                "depth": Range(low=4, high=8, integer=True),
                "l2_leaf_reg": Range(low=0.1, high=10.0, log=True),
                "random_strength": Range(low=0.0, high=2.0),
                "leaf_estimation_iterations": Range(low=1, high=10, integer=True),
            },
            encoding="trees",
        )

    def in_rounds(self, parameters: Mapping[str, Any], rounds: int) -> dict[str, Any]:
        """Return parameters for a fit of so many rounds, on rows that tell of no other end."""
        return {**parameters, "rounds": rounds}

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
    ) -> Fitted:
        """Boost until the validation rows stop to improve, or the budget is spent."""
        import catboost

        options = settings.build(Parameters, parameters, source="family 'catboost'")
        if np.all(y == y[0]):
            return fit_constant(y, task, classes)  # CatBoost refuses such targets
        # Its labels are float32: a regression's target is standardised in double first.
        shift, scale = standard_of(y, task)
        present = np.zeros(1, np.int64)
        if task == "multiclass":
            present = np.unique(y).astype(np.int64)
            y, validation = _renumbered(y, validation, present)
        native = _native(options, task, len(present), metric, budget.threads, seed)
        judge = None
        if validation is not None and len(validation.y):
            judge = catboost.Pool(
                validation.X, (validation.y - shift) / scale, weight=validation.weight
            )
            native["od_type"] = "Iter"
            native["od_wait"] = max(20, min(60, round(3.0 / options.learning_rate)))
            native["use_best_model"] = True
        else:
            native["iterations"] = min(options.rounds, WITHOUT_VALIDATION)
        model = catboost.CatBoost(native)
        data = catboost.Pool(X, (y - shift) / scale, weight=weight)
        model.fit(data, eval_set=judge, callbacks=[_Clock(budget)])
        return FittedCatBoost(
            model=model,
            link=LINKS[task],
            targets=classes if task == "multiclass" else 1,
            present=present,
            scale=scale,
            shift=shift,
            details={"rounds": model.tree_count_},
        )


def _renumbered(
    y: FloatVector, validation: Validation | None, present: IndexVector
) -> tuple[FloatVector, Validation | None]:
    """Number the present classes through; validation rows of other classes are left out."""
    if validation is not None:
        known = np.isin(validation.y, present)
        validation = Validation(
            X=validation.X[known],
            y=np.searchsorted(present, validation.y[known]).astype(np.float64),
            weight=None if validation.weight is None else validation.weight[known],
        )
    return np.searchsorted(present, y).astype(np.float64), validation


def _native(
    options: Parameters, task: Task, classes: int, metric: str, threads: int, seed: int
) -> dict[str, Any]:
    native: dict[str, Any] = msgspec.to_builtins(options)
    native["iterations"] = native.pop("rounds")
    if not options.leaf_estimation_iterations:
        del native["leaf_estimation_iterations"]
    native |= {
        "loss_function": _loss(task, metric),
        "boosting_type": "Plain",
        "thread_count": threads,
        "random_seed": seed,
        "allow_const_label": True,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
    if task == "multiclass":
        native["classes_count"] = classes
    return native


def _loss(task: Task, metric: str) -> str:
    quantile = quantile_of(metric) if task == "regression" else None
    if quantile is None:
        return LOSSES[task]
    return "MAE" if quantile == 0.5 else f"Quantile:alpha={quantile:g}"


def _trees(model: dict[str, Any], targets: int, present: IndexVector) -> Trees:
    """Write symmetric trees out as nodes, one copy for each present target.

    Split i of a tree sets bit i of the leaf's number where ``x > border``. The node for the last
    split is the root, so that the leaves stand in their order from left to right. NaN counts as
    the smallest number, except where the model says it was the largest in training.
    """
    floats = {one["feature_index"]: one for one in model["features_info"]["float_features"]}
    scale, bias = model["scale_and_bias"]
    base = np.full(targets, ABSENT_MARGIN)
    base[present] = np.asarray(bias, np.float64).ravel()
    parts: dict[str, list[Any]] = {name: [] for name in ("feature", "threshold", "missing")}
    left: list[Any] = []
    right: list[Any] = []
    roots, target, leaf, rows = [], [], [], []
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
        values = np.asarray(tree["leaf_values"], np.float64).reshape(2**depth, -1)
        first = np.arange(inner) * 2 + 1
        for one, place in enumerate(present):
            parts["feature"].append(columns[level])
            parts["threshold"].append(borders[level])
            parts["missing"].append(to_left[level])
            for side, children in ((left, first), (right, first + 1)):
                side.append(
                    np.where(children < inner, nodes + children, ~(leaves + children - inner))
                )
            roots.append(nodes if inner else ~leaves)
            target.append(place)
            leaf.append(values[:, one] * scale)
            rows.append(np.asarray(tree["leaf_weights"], np.float64))
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
        base=base,
        leaf_rows=np.concatenate(rows),
    )


family = CatBoost()
