"""Blocks of a scikit-learn model that has no block of its own, through skl2onnx."""

from __future__ import annotations

from typing import Any

import numpy as np

from drivetrain.core.arrays import FloatMatrix
from drivetrain.core.contract import Task
from drivetrain.core.errors import DataError, MissingLibraryError
from drivetrain.graph.block import ML, Block
from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.blocks.linear import Linear

OPSETS = {"": 20, ML: 3}  # the newest that skl2onnx writes; the graph inlines it at its own


def sklearn_blocks(
    estimator: Any, *, features: int, task: Task, classes: int = 0
) -> tuple[Block, ...]:
    """Return blocks that read ``X`` and write ``margin``, to be used with link ``identity``.

    Parameters
    ----------
    estimator
        A fitted classifier with ``predict_proba``, its classes being class numbers, or a fitted
        regressor. It was fitted on float32 features.
    features
        k, columns of X.
    task, classes
        As for a family. The margin of a classification is its probabilities: column 1 for
        binary, else all K; a class that the estimator has not seen has probability 0.

    Raises
    ------
    DataError
        If skl2onnx cannot convert the estimator.
    MissingLibraryError
        If skl2onnx is not installed.
    """
    model = _convert(estimator, features, is_classifier=task != "regression")
    if task == "regression":
        name, chosen = "variable", np.ones((1, 1))
    else:
        name, chosen = "probabilities", _columns(np.asarray(estimator.classes_), task, classes)
    return (
        Foreign(model, (("X", "X"),), ((name, "foreign#output"),)),
        # FLOAT to DOUBLE: weights of 0 and 1 keep each number exactly.
        Linear(chosen, np.zeros(chosen.shape[1]), input="foreign#output"),
    )


def _columns(seen: np.ndarray[Any, Any], task: Task, classes: int) -> FloatMatrix:
    """Return the 0-1 matrix from the estimator's columns to the margin's."""
    full = np.zeros((len(seen), max(classes, 2)))
    full[np.arange(len(seen)), seen.astype(np.int64)] = 1.0
    return full[:, 1:2] if task == "binary" else full


def _convert(estimator: Any, features: int, *, is_classifier: bool) -> bytes:
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as error:
        raise MissingLibraryError(
            where="a scikit-learn model as a member",
            expected="library 'skl2onnx' to be installed",
            got="no such library",
            remedy="Install it: pip install skl2onnx",
            code="DT3M0",
        ) from error
    options = {id(estimator): {"zipmap": False}} if is_classifier else None
    try:
        converted = convert_sklearn(
            estimator,
            initial_types=[("X", FloatTensorType([None, features]))],
            options=options,
            target_opset=OPSETS,
        )
    except Exception as error:  # converters raise whatever they like
        raise DataError(
            where=f"scikit-learn model {type(estimator).__name__}",
            expected="a model that skl2onnx converts",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            remedy="Choose another model, or convert it yourself and adopt its ONNX file.",
            code="DT422",
        ) from error
    return bytes(converted.SerializeToString())
