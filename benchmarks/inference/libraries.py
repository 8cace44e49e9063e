"""The same fitted model twice: in its library's usual pipeline, and as one graph of ours.

Every pair reads the same raw rows of 14 mixed columns. The pipeline is the one that most services
run: a pandas frame, scikit-learn's ColumnTransformer, the estimator's ``predict_proba``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.program import Member, Program, lower
from drivetrain.runtime.bundle import Bundle
from drivetrain.runtime.model import Model

Answer = Callable[[Any], Any]


@dataclass(frozen=True)
class Pair:
    """A model in its library and in our graph.

    Attributes
    ----------
    matrix
        From a pandas frame to what the library's fastest call takes.
    fastest, usual
        The library's calls: on ``matrix(frame)``, and on a pandas frame.
    least_single, least_batch
        How many times faster than the usual pipeline a row and a batch should be.
    """

    name: str
    matrix: Answer
    fastest: Answer
    usual: Answer
    model: bytes
    contract: Contract
    blocks: tuple[Block, ...] = ()
    trees: int = 0
    text: str = ""  # LightGBM's own, for engines that compile it
    least_single: float = 20.0
    least_batch: float = 2.0

    def open(self, threads: int) -> Model:
        """Load our graph."""
        return open_model(self.model, self.contract, threads)


def open_model(model: bytes, contract: Contract, threads: int) -> Model:
    """Load a graph without writing a bundle."""
    nothing = Lineage(
        data_fingerprint="", rows=1, source="", settings={}, packages={}, python="", seed=0
    )
    manifest = Manifest(
        drivetrain="0", name="benchmark", contract=contract,
        outputs=(
            Output(name="prediction", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, 2)),
        ),
        metric="auc", scorecard={}, recipes=(), lineage=nothing,
        proof=Proof(rows=1, adversarial_rows=0, max_abs_diff=0, tolerance=1e-5, label_flips=0),
    )  # fmt: skip
    return Model(Bundle(Path("benchmark"), manifest, model, b""), threads=threads)


def contract_of(frame: pd.DataFrame, classes: tuple[str, ...]) -> Contract:
    """Call numbers numbers and all else categories."""
    columns = tuple(
        Column(name=name, kind="number" if _is_number(frame[name]) else "category")
        for name in frame.columns
    )
    target = Target(name="income", task="binary", classes=classes, label_type="string")
    return Contract(columns=columns, target=target)


def _is_number(series: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(series))


def split_columns(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the names of number columns and of the others."""
    numbers = [name for name in frame.columns if _is_number(frame[name])]
    return numbers, [name for name in frame.columns if name not in numbers]


def coded(frame: pd.DataFrame) -> tuple[Any, tuple[tuple[Block, ...], ...]]:
    """Return a fitted transformer to numbers and codes, and its blocks."""
    numbers, categories = split_columns(frame)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)
    transformer = ColumnTransformer([("n", "passthrough", numbers), ("c", ordinal, categories)])
    transformer.fit(frame)
    known = transformer.named_transformers_["c"].categories_
    blocks: list[tuple[Block, ...]] = [(Number(name, "features"),) for name in numbers]
    for name, values in zip(categories, known, strict=True):
        codes = np.arange(len(values), dtype=np.float32)[:, None]
        blocks.append((Lookup(name, "features", tuple(values), codes, np.float32([-1.0])),))
    return transformer, tuple(blocks)


def one_hot(frame: pd.DataFrame) -> tuple[Any, tuple[tuple[Block, ...], ...]]:
    """Return a fitted transformer to scaled numbers and one-hot categories, and its blocks."""
    numbers, categories = split_columns(frame)
    transformer = ColumnTransformer(
        [("n", StandardScaler(), numbers),
         ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories)]
    )  # fmt: skip
    transformer.fit(frame)
    scaler = transformer.named_transformers_["n"]
    blocks: list[tuple[Block, ...]] = [
        (Number(name, "features", float(mean), 1.0 / float(scale)),)
        for name, mean, scale in zip(numbers, scaler.mean_, scaler.scale_, strict=True)
    ]
    for name, values in zip(
        categories, transformer.named_transformers_["c"].categories_, strict=True
    ):
        table = np.eye(len(values), dtype=np.float32)
        blocks.append(
            (Lookup(name, "features", tuple(values), table, np.zeros(len(values), np.float32)),)
        )
    return transformer, tuple(blocks)


def _as_float32(transformer: Any) -> Answer:
    return lambda frame: np.asarray(transformer.transform(frame), np.float32)


def _graph(
    contract: Contract, encoders: tuple[tuple[Block, ...], ...], blocks: tuple[Block, ...],
    link: str = "sigmoid",
) -> bytes:  # fmt: skip
    return lower(Program(contract, (Member("model", encoders, (blocks,), link),)))


def lightgbm_pair(frame: pd.DataFrame, y: Any, *, trees: int, threads: int) -> Pair:
    """LightGBM: trees of 31 leaves."""
    import lightgbm

    from drivetrain.models.families.lightgbm import FittedLightGBM

    transformer, encoders = coded(frame)
    estimator = lightgbm.LGBMClassifier(
        n_estimators=trees, num_leaves=31, learning_rate=0.02, n_jobs=threads, verbose=-1
    )
    matrix = _as_float32(transformer)
    estimator.fit(matrix(frame), y)
    booster = estimator.booster_
    contract = contract_of(frame, tuple(estimator.classes_))
    fitted = FittedLightGBM(booster, trees, 0.0, "sigmoid", {})
    return Pair(
        "LightGBM", matrix, lambda X: booster.predict(X, num_threads=threads),
        make_pipeline(transformer, estimator).predict_proba,
        _graph(contract, encoders, fitted.blocks()), contract, fitted.blocks(), trees,
        booster.model_to_string(),
    )  # fmt: skip


def xgboost_pair(frame: pd.DataFrame, y: Any, *, trees: int, threads: int) -> Pair:
    """XGBoost: trees of depth 5, about 31 leaves."""
    import xgboost

    from drivetrain.models.families.xgboost import FittedXGBoost

    transformer, encoders = coded(frame)
    classes = tuple(np.unique(y))
    estimator = xgboost.XGBClassifier(
        n_estimators=trees, max_depth=5, learning_rate=0.02, n_jobs=threads
    )
    matrix = _as_float32(transformer)
    estimator.fit(matrix(frame), (y == classes[1]).astype(int))
    booster = estimator.get_booster()
    booster.set_param({"nthread": threads})
    contract = contract_of(frame, classes)
    blocks = FittedXGBoost(booster, "sigmoid", 1).blocks()
    return Pair(
        "XGBoost", matrix, booster.inplace_predict,
        make_pipeline(transformer, estimator).predict_proba,
        _graph(contract, encoders, blocks), contract, blocks, trees,
    )  # fmt: skip


def extra_trees_pair(frame: pd.DataFrame, y: Any, *, trees: int, threads: int) -> Pair:
    """scikit-learn's extra trees, a tenth as many, of up to 255 leaves."""
    from sklearn.ensemble import ExtraTreesClassifier

    from drivetrain.models.forest import FittedForest

    transformer, encoders = coded(frame)
    estimator = ExtraTreesClassifier(
        n_estimators=trees // 10, max_leaf_nodes=255, n_jobs=None if threads == 1 else threads,
        random_state=0,
    )  # fmt: skip
    matrix = _as_float32(transformer)
    estimator.fit(matrix(frame), y)
    contract = contract_of(frame, tuple(estimator.classes_))
    # its classes are texts here: the blocks want their numbers
    texts, estimator.classes_ = estimator.classes_, np.arange(2)
    blocks = FittedForest(estimator, 2).blocks()
    estimator.classes_ = texts
    return Pair(
        "scikit-learn extra trees", matrix, estimator.predict_proba,
        make_pipeline(transformer, estimator).predict_proba,
        _graph(contract, encoders, blocks, "identity"), contract, blocks, trees // 10,
    )  # fmt: skip


def catboost_pair(frame: pd.DataFrame, y: Any, *, trees: int, threads: int) -> Pair:
    """CatBoost: symmetric trees of 64 leaves, which its own evaluator is made for."""
    import catboost

    from drivetrain.models.families.catboost import FittedCatBoost

    transformer, encoders = coded(frame)
    estimator = catboost.CatBoostClassifier(
        iterations=trees, depth=6, learning_rate=0.05, thread_count=threads, verbose=False,
        allow_writing_files=False,
    )  # fmt: skip
    matrix = _as_float32(transformer)
    estimator.fit(matrix(frame), y)
    contract = contract_of(frame, tuple(str(name) for name in estimator.classes_))
    blocks = FittedCatBoost(estimator, "sigmoid", 1, np.array([0])).blocks()
    return Pair(
        "CatBoost", matrix,
        lambda X: estimator.predict(X, prediction_type="Probability", thread_count=threads),
        make_pipeline(transformer, estimator).predict_proba,
        _graph(contract, encoders, blocks), contract, blocks, trees, least_batch=0.0,
    )  # fmt: skip


def linear_pair(frame: pd.DataFrame, y: Any, *, trees: int, threads: int) -> Pair:
    """scikit-learn's logistic regression on scaled and one-hot columns."""
    from sklearn.linear_model import LogisticRegression

    transformer, encoders = one_hot(frame)
    estimator = LogisticRegression(max_iter=200)
    matrix = _as_float32(transformer)
    estimator.fit(matrix(frame), y)
    contract = contract_of(frame, tuple(estimator.classes_))
    block = Linear(estimator.coef_.T.astype(np.float64), estimator.intercept_.astype(np.float64))
    return Pair(
        "scikit-learn logistic", matrix, estimator.predict_proba,
        make_pipeline(transformer, estimator).predict_proba,
        _graph(contract, encoders, (block,)), contract,
    )  # fmt: skip


def torch_pair(frame: pd.DataFrame, y: Any, *, trees: int, threads: int) -> Pair:
    """A net of ours in torch, trained briefly: its weights do not matter to its cost."""
    import math

    import torch

    from drivetrain.models.families.mlp import family
    from drivetrain.models.family import Budget

    torch.set_num_threads(threads)
    transformer, encoders = one_hot(frame)
    matrix = _as_float32(transformer)
    classes = tuple(np.unique(y))
    fitted = family.fit(
        matrix(frame), (y == classes[1]).astype(np.float64), task="binary", classes=2,
        metric="auc", weight=None, validation=None, parameters={"epochs": 1},
        budget=Budget(lambda: math.inf, threads), seed=0,
    )  # fmt: skip
    contract = contract_of(frame, classes)
    return Pair(
        "torch net", matrix, fitted.predict, lambda rows: fitted.predict(matrix(rows)),
        _graph(contract, encoders, fitted.blocks()), contract, least_batch=1.0,
    )  # fmt: skip


PAIRS = {
    "lightgbm": lightgbm_pair,
    "xgboost": xgboost_pair,
    "extra_trees": extra_trees_pair,
    "catboost": catboost_pair,
    "linear": linear_pair,
    "torch": torch_pair,
}
