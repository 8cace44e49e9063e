"""What can be asked of a model by a word, where a protocol has no names of outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from drivetrain.core.arrays import Array
from drivetrain.core.manifest import LOWER, OUT_OF_RANGE, PREDICTION, PROBABILITIES, SET, UPPER

PREDICT, PREDICT_PROBA, PREDICT_ALL = "predict", "predict_proba", "predict_all"
# Outputs of each method. Of several, a row's answer is the list of them.
METHODS: Mapping[str, tuple[str, ...]] = {
    PREDICT: (PREDICTION,),
    PREDICT_PROBA: (PROBABILITIES,),
    "predict_interval": (LOWER, UPPER),
    "predict_set": (SET,),
    "out_of_range": (OUT_OF_RANGE,),
}
_SOME = frozenset({PREDICTION, PROBABILITIES})


def methods_of(names: Collection[str]) -> tuple[str, ...]:
    """List the methods that a model of these outputs has.

    Those with more than a prediction and probabilities can be asked for everything at once.

    Examples
    --------
    >>> methods_of(["prediction", "lower", "upper"])
    ('predict', 'predict_interval', 'predict_all')
    """
    found = [method for method, outputs in METHODS.items() if set(outputs) <= set(names)]
    return tuple(found) if set(names) <= _SOME else (*found, PREDICT_ALL)


def side_by_side(outputs: Mapping[str, Array], names: Sequence[str]) -> Array:
    """Return one output as it is, or several as the columns of one array."""
    if len(names) == 1:
        return outputs[names[0]]
    return np.stack([outputs[name] for name in names], axis=1)


def rows_of_answers(outputs: Mapping[str, Array], method: str) -> list[Any]:
    """Return what a method answers, an item for each row, in plain Python.

    Examples
    --------
    >>> rows_of_answers({"lower": np.zeros(1), "upper": np.ones(1)}, "predict_interval")
    [[0.0, 1.0]]
    """
    if method == PREDICT_ALL:
        columns = [values.tolist() for values in outputs.values()]
        return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]
    answers: list[Any] = side_by_side(outputs, METHODS[method]).tolist()
    return answers
