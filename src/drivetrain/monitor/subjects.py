"""What is watched of a row: each column, and each of the model's answers, as numbers or texts.

A number is watched as it is, a boolean as the texts 0 and 1, a text by its length in characters, a
vector by its Euclidean length. A datetime is watched for being there at all: that time goes on is
no drift.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from drivetrain.core.arrays import MISSING_TIME, Array, Columns, FloatVector, IndexVector
from drivetrain.core.contract import Kind, Target
from drivetrain.stats.sketch import (
    Bins,
    ColumnSketch,
    Levels,
    number_places,
    sketch_numbers,
    sketch_texts,
    text_places,
)

Subject: TypeAlias = Literal["column", "output", "target"]

PREDICTION = "prediction"
PROBABILITY = "probability."
MOST_CLASSES = 10  # whose probabilities are watched one by one


def measured(kind: Kind, values: Array) -> Array:
    """Return what is watched of a typed column: float64 (n,) with NaN, or texts with ``''``."""
    if kind in {"category"}:
        return values
    if kind == "boolean":
        texts = np.array(["0", "1", ""], dtype=object)
        places = np.where(np.isnan(values), 2, values).astype(np.int64)
        chosen: Array = texts[places]
        return chosen
    if kind == "text":
        lengths = np.fromiter((len(text) for text in values.tolist()), np.float64, len(values))
        lengths[lengths == 0] = np.nan
        return lengths
    if kind == "datetime":
        return np.where(values == MISSING_TIME, np.nan, values.astype(np.float64))
    if kind == "vector":
        squares: FloatVector = np.sqrt((values.astype(np.float64) ** 2).sum(axis=1))
        return squares
    return values.astype(np.float64)


def answers(target: Target, outputs: dict[str, Array]) -> Columns:
    """Return the watched answers by name: the prediction, and probabilities of classes.

    Parameters
    ----------
    outputs
        Of the graph: ``prediction`` (n,), and for a classification ``probabilities`` (n, K).
    """
    if target.task == "regression":
        return {PREDICTION: np.asarray(outputs["prediction"], dtype=np.float64)}
    found: Columns = {PREDICTION: labels_as_text(outputs["prediction"])}
    for place in watched_classes(target):
        column = np.asarray(outputs["probabilities"])[:, place].astype(np.float64)
        found[PROBABILITY + target.classes[place]] = column
    return found


def watched_classes(target: Target) -> list[int]:
    """Return the numbers of the classes whose probabilities are watched: one of two."""
    if len(target.classes) == 2:
        return [1]
    return list(range(min(len(target.classes), MOST_CLASSES)))


def labels_as_text(labels: Array) -> Array:
    """Return predicted labels as the Contract writes them, object (n,) of str."""
    texts = np.empty(len(labels), dtype=object)
    texts[:] = [str(label) for label in labels.tolist()]
    return texts


def class_numbers(target: Target, labels: Array) -> IndexVector:
    """Return the class number of each predicted label, shape (n,)."""
    index = {name: number for number, name in enumerate(target.classes)}
    texts = labels_as_text(labels)
    return np.fromiter((index[text] for text in texts.tolist()), np.int64, len(texts))


def sketch(
    bins: Bins, values: Array, known: frozenset[str] | None = None
) -> tuple[ColumnSketch, IndexVector]:
    """Count values over bins; return the sketch and the bin of each row, -1 where missing."""
    if isinstance(bins, Levels):
        places = text_places(bins, values)
        return sketch_texts(bins, values, places, known), places
    places = number_places(bins, values)
    return sketch_numbers(bins, values, places), places
