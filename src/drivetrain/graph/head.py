"""The head of a graph: from the blend to everything that the graph answers, in one list.

::

    blend ─┬─label─→ prediction
           ├───────→ probabilities
           └─extras→ lower, upper, set …   only where they were asked for

:attr:`Head.outputs` is the graph's face on that side, and the manifest's. What an extra answers is
known to nobody else: servers, logs and files read the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from drivetrain.core.arrays import Array, Columns, FloatMatrix
from drivetrain.core.contract import Column, Target
from drivetrain.core.errors import DataError
from drivetrain.core.manifest import PREDICTION, PROBABILITIES, Output
from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.model import tensor
from drivetrain.graph.tables import Table
from drivetrain.stats.costs import expected_costs

_LABELS = {"int": np.int64, "string": np.object_, "float": np.float64}
_LABEL_TYPES = {"int": "int64", "string": "string", "float": "double"}
_TYPES = {
    "float": TensorProto.FLOAT, "double": TensorProto.DOUBLE, "int64": TensorProto.INT64,
    "string": TensorProto.STRING, "bool": TensorProto.BOOL,
}  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What an output must be, by numpy, and where that is not sure.

    Attributes
    ----------
    values
        (n,) or (n, k), of the output's type.
    distance
        Of a flag: how far each is from where it turns, as ``values``; None for numbers.
    """

    values: Array
    distance: npt.NDArray[np.float64] | None = None


class Extra(Protocol):
    """One more thing that a graph answers: a frozen dataclass, one a file in ``graph/extras/``.

    It reads the blend, calibrated: the value, DOUBLE [N, 1]; of two classes the probability of the
    second, DOUBLE [N, 1]; of several, DOUBLE [N, K] as they are before they are made to sum to 1.
    ``probabilities`` and the columns have their own names in the graph.
    """

    def outputs(self, target: Target) -> tuple[Output, ...]:
        """Declare its outputs."""

    def lower(self, graph: GraphBuilder, blend: Wire) -> Sequence[Table]:
        """Add nodes that write its outputs; return the tables of columns that it reads."""

    def expected(self, answers: FloatMatrix, columns: Columns) -> dict[str, Expected]:
        """Return by numpy what it must answer to values (n, 1), or to probabilities (n, K)."""


@dataclass(frozen=True)
class Head:
    """What a graph answers.

    Attributes
    ----------
    threshold
        Of two classes: the second is predicted where its probability, as float32, is greater.
    costs
        Of several classes: what it costs to answer class j where i is true, float64 (K, K). The
        label is then the one with the least expected cost, and not the likeliest.
    """

    target: Target
    threshold: float = 0.5
    costs: FloatMatrix | None = None
    extras: tuple[Extra, ...] = ()

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Every output, in the order of the graph."""
        target = self.target
        kind = "double" if target.task == "regression" else _LABEL_TYPES[target.label_type]
        outputs = [Output(name=PREDICTION, type=kind, shape=(-1,))]
        if target.task != "regression":
            width = len(target.classes)
            outputs.append(Output(name=PROBABILITIES, type="float", shape=(-1, width)))
        for extra in self.extras:
            outputs += extra.outputs(target)
        return tuple(outputs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names that no column may have."""
        return tuple(dict.fromkeys([PREDICTION, PROBABILITIES, *(o.name for o in self.outputs)]))

    def lower(
        self, graph: GraphBuilder, blend: Wire
    ) -> tuple[list[onnx.ValueInfoProto], list[Table]]:
        """Add the nodes; describe the outputs, and return the tables of columns that they read."""
        if self.target.task == "regression":
            graph.node("Reshape", [blend, graph.constant([-1], np.int64)], to=PREDICTION)
        elif self.target.task == "binary":
            _lower_two(graph, blend, self._labels(), self.threshold)
        else:
            _lower_several(graph, blend, self._labels(), self.costs)
        tables = [table for extra in self.extras for table in extra.lower(graph, blend)]
        described = [
            tensor(output.name, _TYPES[output.type], *output.shape[1:]) for output in self.outputs
        ]
        return described, tables

    def label_numbers(self, answers: FloatMatrix) -> tuple[Array, npt.NDArray[np.float64]]:
        """Return by numpy the class number of each label, (n,), and how sure it is.

        Parameters
        ----------
        answers
            Probabilities (n, K).

        Returns
        -------
        tuple
            Numbers, int64 (n,); and how far each row is from where its label turns: in the
            probability of the second class, between the two likeliest, or in cost relative to the
            largest cost.
        """
        if self.target.task == "binary":
            over = answers[:, 1] - self.threshold
            return (over > 0).astype(np.int64), np.abs(over)
        gains = answers if self.costs is None else -expected_costs(answers, self.costs)
        scale = 1.0 if self.costs is None else float(np.abs(self.costs).max())
        order = np.sort(gains, axis=1)
        return np.argmax(gains, axis=1), (order[:, -1] - order[:, -2]) / scale

    def _labels(self) -> Array:
        labels = np.array(self.target.classes, dtype=np.object_)
        kind = _LABELS[self.target.label_type]
        return labels if kind is np.object_ else labels.astype(kind)


def graph_input(column: Column, taken: Sequence[str]) -> onnx.ValueInfoProto:
    """Describe a column as an input of the graph.

    Raises
    ------
    DataError
        If its name is empty or an output's, one of ``taken``.
    """
    check_name(column.name, taken)
    if column.kind in ("number", "boolean"):
        return tensor(column.name, TensorProto.DOUBLE)
    if column.kind == "vector":
        return tensor(column.name, TensorProto.DOUBLE, column.width)
    if column.kind == "datetime":
        return tensor(column.name, TensorProto.INT64)
    return tensor(column.name, TensorProto.STRING)


def check_name(name: str, taken: Sequence[str]) -> None:
    """Refuse a column whose name a graph cannot have; DataError."""
    if name in ("", *taken):
        raise DataError(
            where=f"column '{name}'",
            expected=f"a name other than '' and the outputs' {', '.join(taken)}",
            got=f"'{name}'",
            remedy="Rename the column.",
            code="DT2G1",
        )


def _lower_two(graph: GraphBuilder, blend: Wire, labels: Array, threshold: float) -> None:
    either = graph.constant(labels[:1]), graph.constant(labels[1:])
    second = graph.cast(blend, TensorProto.FLOAT)
    first = graph.node("Sub", [graph.constant(1.0, np.float32), second])
    graph.node("Concat", [first, second], to=PROBABILITIES, axis=1)
    is_second = graph.node("Greater", [second, graph.constant(threshold, np.float32)])
    label = graph.node("Where", [is_second, *reversed(either)])
    graph.node("Reshape", [label, graph.constant([-1], np.int64)], to=PREDICTION)


def _lower_several(
    graph: GraphBuilder, blend: Wire, labels: Array, costs: FloatMatrix | None
) -> None:
    """Make the probabilities sum to 1, and take the likeliest label or the cheapest."""
    sums = graph.node("CumSum", [blend, graph.constant(1, np.int64)])
    total = graph.node("Gather", [sums, graph.constant([-1], np.int64)], axis=1)
    graph.cast(graph.node("Div", [blend, total]), TensorProto.FLOAT, to=PROBABILITIES)
    if costs is None:
        number = graph.node("ArgMax", [PROBABILITIES], axis=1, keepdims=0)
    else:
        number = graph.node("ArgMin", [_lower_costs(graph, costs)], axis=1, keepdims=0)
    graph.node("Gather", [graph.constant(labels), number], to=PREDICTION, axis=0)


def _lower_costs(graph: GraphBuilder, costs: FloatMatrix) -> Wire:
    """Return the wire of each label's expected cost, [N, K]."""
    probabilities = graph.cast(PROBABILITIES, TensorProto.DOUBLE)
    return graph.node("MatMul", [probabilities, graph.constant(costs, np.float64)])
