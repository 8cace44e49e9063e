"""XGBoost: gradient boosting of trees with second-order regularised leaves.

Source: Chen & Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016. The library compares
and sums in float32, so its block does as well and is exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.trees import Trees
from drivetrain.models.family import Budget, Link, Range, Shape, Space, Validation
from drivetrain.models.objective import quantile_of, standard_of
from drivetrain.models.pace import Pace

OBJECTIVES = {"binary": "binary:logistic", "multiclass": "multi:softprob"}
LINKS: dict[Task, Link] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}
WITHOUT_VALIDATION = 300  # rounds where nothing tells when to stop
SMALLEST = np.float32(np.finfo(np.float32).smallest_subnormal)


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the family; XGBoost's own names."""

    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.08
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=16)] = 6
    min_child_weight: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    subsample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.65
    colsample_bylevel: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    reg_lambda: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    reg_alpha: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    rounds: Annotated[int, msgspec.Meta(ge=1, description="most rounds")] = 3000


@dataclass(frozen=True)
class FittedXGBoost:
    """A booster, cut at its best round.

    ``scale`` and ``shift`` undo the standardising of a regression's target.
    """

    booster: Any
    link: Link
    targets: int
    scale: float = 1.0
    shift: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: Features) -> FloatMatrix:
        """Return the booster's own margins, float64 (n, t)."""
        margin = self.booster.inplace_predict(X, predict_type="margin", missing=np.nan)
        wide = np.asarray(margin, np.float64).reshape(len(X), self.targets)
        return wide * self.scale + self.shift

    def blocks(self) -> tuple[Block, ...]:
        """Return one block of trees.

        It sums in float32 from the base score on, as the library does; a regression's, whose
        leaves are scaled to the target's unit, sums in double.
        """
        model = json.loads(bytes(self.booster.save_raw("json")))["learner"]
        ensemble = model["gradient_booster"]["model"]
        trees = _trees(ensemble, _base_margins(model, self.link, self.targets), self.targets)
        if self.link != "identity":
            return (trees,)
        return (
            replace(
                trees,
                leaf=trees.leaf * self.scale,
                base=trees.base * self.scale + self.shift,
                precision="double",
            ),
        )


class XGBoost:
    """Fits XGBoost on float32 features; NaN is a value of its own."""

    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    libraries = ("xgboost",)

    def space(self, task: Task, shape: Shape) -> Space:
        """Return the tuned defaults of pytabkit (NeurIPS 2024) and TabArena's ranges."""
        first = Parameters(max_depth=8, min_child_weight=2.0, subsample=0.7)
        if task != "regression":
            first = Parameters()
        second = msgspec.structs.replace(first, max_depth=4, learning_rate=0.1)
        return Space(
            defaults=(msgspec.to_builtins(first), msgspec.to_builtins(second)),
            ranges={
                "learning_rate": Range(low=0.02, high=0.15, log=True),
                "max_depth": Range(low=3, high=10, integer=True),
                "min_child_weight": Range(low=1e-3, high=10.0, log=True),
                "subsample": Range(low=0.6, high=1.0),
                "colsample_bylevel": Range(low=0.4, high=1.0),
                "reg_lambda": Range(low=1e-3, high=10.0, log=True),
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
    ) -> FittedXGBoost:
        """Boost until the validation rows stop to improve, or the budget is spent."""
        import xgboost

        options = settings.build(Parameters, parameters, source="family 'xgboost'")
        # Its labels are float32: a regression's target is standardised in double first.
        shift, scale = standard_of(y, task)
        callbacks: list[Any] = []
        watched = []
        if validation is not None and len(validation.y):
            judge = xgboost.DMatrix(
                validation.X,
                (validation.y - shift) / scale,
                weight=validation.weight,
                nthread=budget.threads,
            )
            watched = [(judge, "judge")]
            patience = max(20, min(60, round(3.0 / options.learning_rate)))
            callbacks.append(xgboost.callback.EarlyStopping(rounds=patience, save_best=True))
        booster = xgboost.train(
            _native(options, task, classes, y, metric, budget, seed),
            xgboost.DMatrix(X, (y - shift) / scale, weight=weight, nthread=budget.threads),
            num_boost_round=options.rounds if watched else min(options.rounds, WITHOUT_VALIDATION),
            evals=watched,
            verbose_eval=False,
            callbacks=[*callbacks, _clock(budget)],  # last: the first to stop silences the rest
        )
        return FittedXGBoost(
            booster=booster,
            link=LINKS[task],
            targets=classes if task == "multiclass" else 1,
            scale=scale,
            shift=shift,
            details={"rounds": booster.num_boosted_rounds()},
        )


def _native(
    options: Parameters,
    task: Task,
    classes: int,
    y: FloatVector,
    metric: str,
    budget: Budget,
    seed: int,
) -> dict[str, Any]:
    native: dict[str, Any] = msgspec.to_builtins(options)
    del native["rounds"]
    native |= {
        "objective": OBJECTIVES.get(task, "reg:squarederror"),
        "tree_method": "hist",
        "nthread": budget.threads,
        "seed": seed,
        "verbosity": 0,
    }
    if task == "multiclass":
        native["num_class"] = classes
    elif task == "binary":
        # Of rows of one class alone the margin would be infinite.
        native["base_score"] = float(np.clip(np.mean(y), 1e-6, 1 - 1e-6))
    else:
        native["base_score"] = 0.0
        quantile = quantile_of(metric)
        if quantile is not None:
            native |= {"objective": "reg:quantileerror", "quantile_alpha": quantile}
    return native


def _clock(budget: Budget) -> Any:
    """Return a callback that stops the boosting when the budget is spent."""
    import xgboost

    pace = Pace(budget)

    class Clock(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            return pace.is_over()

    return Clock()


def _base_margins(model: dict[str, Any], link: Link, targets: int) -> FloatVector:
    """Return the margin that each sum starts from; XGBoost keeps it as a mean or probability."""
    text = model["learner_model_param"]["base_score"]
    base = np.asarray(json.loads(text), np.float32).ravel()
    if link == "sigmoid":
        one = np.float32(1.0)
        base = -np.log(one / base - one)
    return np.broadcast_to(base, (targets,)).astype(np.float64)


def _trees(ensemble: dict[str, Any], base: FloatVector, targets: int) -> Trees:
    """Number the nodes and leaves of all trees through.

    XGBoost asks ``x < t`` in float32: the same question as ``x <= t'`` where t' is the float32
    number just below t, and below -0.0 and 0.0 alike comes the smallest negative one.
    """
    feature, threshold, left, right, missing, leaf, roots = [], [], [], [], [], [], []
    rows = []  # their weight in the loss, which lays the trees out as well as their number would
    nodes = leaves = 0
    for tree in ensemble["trees"]:
        child_left = np.asarray(tree["left_children"], np.int64)
        child_right = np.asarray(tree["right_children"], np.int64)
        split = np.asarray(tree["split_conditions"], np.float32)
        is_leaf = child_left < 0
        number = np.where(
            is_leaf, ~(leaves + np.cumsum(is_leaf) - 1), nodes + np.cumsum(~is_leaf) - 1
        )
        inner = ~is_leaf
        border = split[inner]
        below = np.nextafter(border, np.float32(-np.inf))
        threshold.append(np.where(border == 0, -SMALLEST, below).astype(np.float64))
        feature.append(np.asarray(tree["split_indices"], np.int32)[inner])
        left.append(number[child_left[inner]])
        right.append(number[child_right[inner]])
        missing.append(np.asarray(tree["default_left"], bool)[inner])
        leaf.append(split[is_leaf].astype(np.float64))
        rows.append(np.asarray(tree["sum_hessian"], np.float64)[is_leaf])
        roots.append(number[0])
        nodes += int(inner.sum())
        leaves += int(is_leaf.sum())
    return Trees(
        feature=np.concatenate(feature),
        threshold=np.concatenate(threshold),
        left=np.concatenate(left).astype(np.int32),
        right=np.concatenate(right).astype(np.int32),
        missing_left=np.concatenate(missing),
        roots=np.asarray(roots, np.int32),
        target=np.asarray(ensemble["tree_info"], np.int32),
        leaf=np.concatenate(leaf),
        targets=targets,
        base=base,
        precision="float",
        leaf_rows=np.concatenate(rows),
    )


family = XGBoost()
