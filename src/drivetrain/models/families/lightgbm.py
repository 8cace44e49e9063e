"""Gradient-boosted trees by LightGBM.

G. Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NeurIPS 2017. Native
categoricals are not used: encoders give every category a number, so each tree is nodes of ``<=``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from drivetrain.core import settings
from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.models.family import Budget, Link, Range, Shape, Space, Validation
from drivetrain.models.lightgbm_trees import read_trees
from drivetrain.models.objective import is_relative, quantile_of
from drivetrain.models.stopping import Stopper

FEW_ROWS = 10_000  # up to which small trees of most features are the best first guess
WITHOUT_VALIDATION = 300  # iterations where nothing tells when to stop
LINKS: dict[Task, Link] = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the family; LightGBM's own names."""

    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.06
    num_leaves: Annotated[int, msgspec.Meta(ge=2, le=4096)] = 31
    max_depth: int = -1
    feature_fraction: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    bagging_fraction: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    bagging_freq: Annotated[int, msgspec.Meta(ge=0)] = 1
    min_data_in_leaf: Annotated[int, msgspec.Meta(ge=0)] = 20
    lambda_l1: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    lambda_l2: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    max_bin: Annotated[int, msgspec.Meta(ge=3, le=65535)] = 255
    path_smooth: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    extra_trees: bool = False
    boosting: Literal["gbdt"] = "gbdt"
    rounds: Annotated[int, msgspec.Meta(ge=1, description="most iterations")] = 3000
    patience: Annotated[
        int, msgspec.Meta(ge=0, description="iterations without gain before stopping; 0: adaptive")
    ] = 0


@dataclass(frozen=True)
class FittedLightGBM:
    """A fitted booster; ``center`` was taken off a regression's target."""

    booster: Any
    iterations: int
    center: float
    link: Link
    details: dict[str, Any]

    def predict(self, X: Features) -> FloatMatrix:
        """Return LightGBM's own raw scores, float64 (n, t)."""
        if not len(X):
            return np.zeros((0, self.booster.num_model_per_iteration()))
        raw = self.booster.predict(X, raw_score=True, num_iteration=self.iterations)
        return np.asarray(raw, np.float64).reshape(len(X), -1) + self.center

    def blocks(self) -> tuple[Block, ...]:
        """Return one ``Trees`` block."""
        text = self.booster.model_to_string(num_iteration=self.iterations)
        return (read_trees(text, base=self.center),)


class LightGBM:
    """LightGBM on float32 features, stopped early by validation, or by the budget."""

    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    libraries = ("lightgbm",)
    # It imports these for callers' frames and estimators where they are installed: 1.4 of 1.7 s.
    does_without = ("dask", "matplotlib", "pandas", "pyarrow", "sklearn")

    def space(self, task: Task, shape: Shape) -> Space:
        # Ranges: TabArena's search space for LightGBM.
        leaves = max(4, min(200, shape.rows // 10))
        few = shape.rows <= FEW_ROWS
        # Rates are twice what is usual: as good on the public sets, at half the trees to serve.
        plain = Parameters(
            num_leaves=min(15, leaves),
            learning_rate=0.1,
            feature_fraction=0.8,
            lambda_l2=0.0,
        )
        halves = Parameters(num_leaves=min(31, leaves), learning_rate=0.1)
        random = msgspec.structs.replace(
            plain, num_leaves=min(31, leaves), extra_trees=True, min_data_in_leaf=10
        )
        deep = msgspec.structs.replace(
            plain,
            num_leaves=min(63, leaves),
            learning_rate=0.05,
            feature_fraction=0.9,
            min_data_in_leaf=5,
        )
        # In the order in which they add the most to those before: benchmarks/accuracy/defaults.py.
        ordered = (plain, random, deep, halves) if few else (halves, plain, deep, random)
        return Space(
            defaults=tuple(msgspec.to_builtins(one) for one in ordered),
            ranges={
                "learning_rate": Range(0.02, 0.1, log=True),
                "num_leaves": Range(4, leaves, log=True, integer=True),
                "feature_fraction": Range(0.4, 1.0),
                "bagging_fraction": Range(0.7, 1.0),
                "min_data_in_leaf": Range(1, 64, log=True, integer=True),
                "lambda_l1": Range(1e-4, 1.0, log=True),
                "lambda_l2": Range(1e-4, 2.0, log=True),
                "extra_trees": Range(choices=(False, True)),
            },
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
    ) -> FittedLightGBM:
        import lightgbm

        options = settings.build(Parameters, parameters, source="family 'lightgbm'")
        # Its labels are float32: a wide regression target is centred in double first.
        center = float(np.mean(y)) if task == "regression" else 0.0
        given = _native(options, task, classes, metric, budget.threads, seed)
        data = lightgbm.Dataset(X, y - center, weight=weight, params=given)
        watched = []
        if validation is not None and len(validation.y):
            watched.append(
                lightgbm.Dataset(
                    validation.X, validation.y - center, weight=validation.weight, reference=data
                )
            )
        stopper = Stopper(budget, options.patience or _patience(len(X), options.learning_rate))
        booster = lightgbm.train(
            given,
            data,
            num_boost_round=options.rounds if watched else min(options.rounds, WITHOUT_VALIDATION),
            valid_sets=watched,
            callbacks=[stopper],
        )
        iterations = stopper.best_iteration if watched else booster.current_iteration()
        details = {"rounds": iterations, "stopped_by": stopper.reason}
        return FittedLightGBM(booster, iterations, center, LINKS[task], details)


def _patience(rows: int, learning_rate: float) -> int:
    """Return iterations to wait for a gain: more where steps or validation sets are small."""
    few_rows = 2 if rows <= 10_000 else 1
    return few_rows * int(np.clip(2.5 / learning_rate, 20, 150))


def _native(
    options: Parameters, task: Task, classes: int, metric: str, threads: int, seed: int
) -> dict[str, Any]:
    native: dict[str, Any] = msgspec.to_builtins(options)
    del native["rounds"], native["patience"]
    native |= {
        "seed": seed,
        "deterministic": True,  # and row-wise: sums in the same order on every run
        "force_row_wise": True,
        "num_threads": threads,
        "verbosity": -1,
        "feature_pre_filter": False,
    }
    if task == "binary":
        native |= {"objective": "binary", "metric": "binary_logloss"}
    elif task == "multiclass":
        native |= {"objective": "multiclass", "metric": "multi_logloss", "num_class": classes}
    else:
        native |= _objective(metric)
    return native


def _objective(metric: str) -> dict[str, Any]:
    quantile = quantile_of(metric)
    if is_relative(metric):
        return {"objective": "mape", "metric": "mape"}
    if quantile == 0.5:
        return {"objective": "regression_l1", "metric": "l1"}
    if quantile is not None:
        return {"objective": "quantile", "metric": "quantile", "alpha": quantile}
    return {"objective": "regression", "metric": "l2"}


family = LightGBM()
