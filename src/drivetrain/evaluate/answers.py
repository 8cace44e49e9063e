"""What a model answers to rows, in the form that metrics read. Only the graph predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from drivetrain.core.arrays import Array, Columns, FloatMatrix, FloatVector
from drivetrain.core.contract import Target
from drivetrain.core.errors import InternalError
from drivetrain.runtime.runs import Runs as Runs
from drivetrain.stats.metric import Metric


@dataclass(frozen=True)
class Answers:
    """Predictions of n rows.

    ``values``: regression, the predicted values; classification, class numbers of the predicted
    labels (the graph's own threshold), float64 (n,). ``probabilities``: (n, K), None in regression.
    ``outputs``: all of the graph's as they are, where it was asked.
    """

    values: FloatVector
    probabilities: FloatMatrix | None = None
    outputs: Mapping[str, Array] = field(default_factory=dict)

    def read_by(self, metric: Metric) -> Array:
        """Return what the metric needs."""
        if metric.needs == "probability" and self.probabilities is not None:
            return self.probabilities
        return self.values


def ask(model: Runs, target: Target, columns: Columns) -> Answers:
    """Run the graph on typed columns.

    Raises
    ------
    InternalError
        If the graph answers a label that the Contract does not know.
    """
    outputs = model.run(columns)
    prediction = np.asarray(outputs["prediction"])
    if target.task == "regression":
        return Answers(values=prediction.astype(np.float64), outputs=outputs)
    probabilities = np.asarray(outputs["probabilities"], dtype=np.float64)
    return Answers(class_numbers(prediction, target), probabilities, outputs)


def class_numbers(labels: Array, target: Target) -> FloatVector:
    """Return the class number of each label as the graph gives it, float64 (n,)."""
    number_of = {name: number for number, name in enumerate(target.classes)}
    distinct, inverse = np.unique(labels.astype(str), return_inverse=True)
    unknown = [label for label in distinct.tolist() if label not in number_of]
    if unknown:
        raise InternalError(
            where="output 'prediction'",
            expected=f"one of the classes {', '.join(target.classes)}",
            got=f"'{unknown[0]}'",
            remedy="Report this as a bug.",
            code="DT7E0",
        )
    numbers = np.array([number_of[label] for label in distinct.tolist()], dtype=np.float64)
    return numbers[inverse.reshape(-1)]
