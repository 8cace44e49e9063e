"""Forests: averaged trees that do not know of each other, models unlike the boosted ones.

Fitted by scikit-learn. Few trees with large leaves keep the graph small. A leaf holds a probability
or a mean, so the margin is the prediction itself. A leaf of a classification also counts a little
of the mix of all rows, so that what no tree has seen in a leaf is improbable, not impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from drivetrain.core import settings
from drivetrain.core.arrays import Features, FloatMatrix, FloatVector
from drivetrain.core.contract import Task
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.leaves import Leaves
from drivetrain.graph.blocks.trees import Trees
from drivetrain.models.family import Budget, Link, Range, Shape, Space, Validation
from drivetrain.models.lightgbm_trees import floor_float32
from drivetrain.models.pace import Pace

LEAVES = "leaves"  # the wire between the two blocks of a forest of several classes
MOST_BYTES = 16e6  # of a forest that ships
MORE = 1.3  # times as many leaves on all rows as on a fold's
STEP = 10  # trees grown between two looks at the clock
MIXED = 0.03  # rows of the mix of all rows that a leaf counts beside its own


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the family; scikit-learn's own names but for ``trees``."""

    trees: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 60
    max_features: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    min_samples_leaf: Annotated[int, msgspec.Meta(ge=1)] = 2


@dataclass(frozen=True)
class FittedForest:
    """A forest of scikit-learn; ``center`` was taken off a regression's target."""

    forest: Any
    classes: int  # 0 for a regression
    center: float = 0.0
    link: Link = "identity"
    details: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: Features) -> FloatMatrix:
        """Return probabilities (n, K), of class 1 only (n, 1) if binary, or values (n, 1)."""
        if not self.classes:
            return np.asarray(self.forest.predict(np.array(X)), np.float64)[:, None] + self.center
        probabilities = np.zeros((len(X), self.classes))
        seen = self.forest.classes_.astype(int)
        probabilities[:, seen] = self.forest.predict_proba(np.array(X))
        return probabilities[:, 1:] if self.classes == 2 else probabilities

    def blocks(self) -> tuple[Block, ...]:
        """Return the trees, their leaves divided by how many trees there are."""
        return _blocks(self.forest, self.classes, self.center)


@dataclass(frozen=True)
class Forests:
    """Fits forests of one kind on float32 features; NaN goes where it was best to go.

    Parameters
    ----------
    name
        Of the family, for errors.
    kinds
        Names of scikit-learn's classes for a classification and for a regression.
    first
        From a table's task and shape to the default settings.
    """

    name: str
    kinds: tuple[str, str]
    first: Callable[[Task, Shape], Parameters]
    tasks: tuple[Task, ...] = field(default=("binary", "multiclass", "regression"), init=False)
    libraries: tuple[str, ...] = field(default=("sklearn.ensemble",), init=False)

    def space(self, task: Task, shape: Shape) -> Space:
        """Return one default, its leaves the larger the more rows there are."""
        return Space(
            defaults=(msgspec.to_builtins(self.first(task, shape)),),
            ranges={
                "max_features": Range(low=0.1, high=1.0),
                "min_samples_leaf": Range(low=1, high=50, log=True, integer=True),
            },
            encoding="trees",
        )

    def on_all_rows(self, parameters: Mapping[str, Any], size_bytes: float) -> dict[str, Any]:
        """Return parameters for one forest in place of one on each fold: up to twice the trees.

        As far as the file stays small: on more rows a tree has more leaves.
        """
        room = MOST_BYTES / max(MORE * size_bytes, 1.0)
        trees = int(np.clip(room * parameters["trees"], 20, 2 * parameters["trees"]))
        return {**parameters, "trees": trees}

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
    ) -> FittedForest:
        """Grow trees until there are enough or the budget is spent; no rows are watched."""
        from sklearn import ensemble

        options = settings.build(Parameters, parameters, source=f"family '{self.name}'")
        center = float(np.mean(y)) if task == "regression" else 0.0
        forest = getattr(ensemble, self.kinds[task == "regression"])(
            n_estimators=0,
            warm_start=True,
            n_jobs=budget.threads if budget.threads > 1 else None,
            random_state=seed,
            max_features=options.max_features,
            min_samples_leaf=options.min_samples_leaf,
        )
        pace = Pace(budget)
        own = np.array(X)  # scikit-learn checks in place and refuses what is read-only
        while forest.n_estimators < options.trees:
            forest.n_estimators = min(options.trees, forest.n_estimators + STEP)
            forest.fit(own, y - center, sample_weight=weight)
            if pace.is_over():
                break
        if task != "regression":
            _smooth(forest, y, weight)
        forest.n_jobs = None  # one thread sums in one order
        count = 0 if task == "regression" else max(classes, 2)
        return FittedForest(forest, count, center, details={"trees": forest.n_estimators})


def _smooth(forest: Any, y: FloatVector, weight: FloatVector | None) -> None:
    """Let each leaf count some of the mix of all rows; the forest answers with it from then on."""
    mix = np.bincount(y.astype(int), weights=weight)[forest.classes_.astype(int)]
    mix = MIXED * mix / mix.sum()
    for estimator in forest.estimators_:
        tree = estimator.tree_
        own = tree.n_node_samples[:, None]
        tree.value[:, 0, :] = (tree.value[:, 0, :] * own + mix) / (own + MIXED)


def _blocks(forest: Any, classes: int, center: float) -> tuple[Block, ...]:
    """Each tree once; where it tells K probabilities, its leaves are numbered and looked up."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    held = [_values(tree, forest, classes)[tree.children_left < 0] / len(trees) for tree in trees]
    values = np.concatenate(held)
    if values.shape[1] == 1:
        target = np.zeros(len(trees), np.int32)
        one = _trees(trees, values[:, 0], target, targets=1)
        return (replace(one, base=np.array([center])),)
    # Pure leaves hold one of K rows: the table is much smaller than the forest.
    table, number = np.unique(values, axis=0, return_inverse=True)
    target = np.arange(len(trees), dtype=np.int32)
    numbered = number.reshape(-1).astype(np.float64)
    return (
        replace(_trees(trees, numbered, target, targets=len(trees)), output=LEAVES),
        Leaves(values=table, input=LEAVES),
    )


def _trees(
    trees: list[Any], leaf: FloatVector, target: npt.NDArray[np.int32], *, targets: int
) -> Trees:
    feature, threshold, left, right, missing, roots, rows = [], [], [], [], [], [], []
    nodes = leaves = 0
    for tree in trees:
        is_leaf = tree.children_left < 0
        inner = ~is_leaf
        number = np.where(is_leaf, ~(leaves + np.cumsum(is_leaf) - 1), nodes + np.cumsum(inner) - 1)
        feature.append(tree.feature[inner])
        threshold.append(floor_float32(tree.threshold[inner]).astype(np.float64))
        left.append(number[tree.children_left[inner]])
        right.append(number[tree.children_right[inner]])
        missing.append(np.asarray(tree.missing_go_to_left, bool)[inner])
        roots.append(number[0])
        rows.append(tree.weighted_n_node_samples[is_leaf])
        nodes += int(inner.sum())
        leaves += int(is_leaf.sum())
    return Trees(
        feature=np.concatenate(feature).astype(np.int32),
        threshold=np.concatenate(threshold),
        left=np.concatenate(left).astype(np.int32),
        right=np.concatenate(right).astype(np.int32),
        missing_left=np.concatenate(missing),
        roots=np.asarray(roots, np.int32),
        target=target,
        leaf=leaf,
        targets=targets,
        base=np.zeros(targets),
        leaf_rows=np.concatenate(rows),
    )


def _values(tree: Any, forest: Any, classes: int) -> FloatMatrix:
    """Return what each node predicts, (nodes, t)."""
    values = np.asarray(tree.value[:, 0, :], np.float64)
    if not classes:
        return values
    full = np.zeros((len(values), classes))
    full[:, forest.classes_.astype(int)] = values
    return full[:, 1:] if classes == 2 else full
