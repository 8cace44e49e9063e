"""Whether a row is unlike the training data: a cell outside what was seen of its column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import MISSING_TIME, Columns, FloatMatrix, FloatVector, Mask
from drivetrain.core.contract import Target
from drivetrain.core.manifest import OUT_OF_RANGE, Output
from drivetrain.graph.block import ML, GraphBuilder, Wire
from drivetrain.graph.head import Expected
from drivetrain.graph.tables import Table, lower_table, pick


@dataclass(frozen=True)
class Ranges:
    """``out_of_range``, BOOL [N]: true where any cell is none of its column's.

    Attributes
    ----------
    numbers, low, high
        Number and boolean columns, and the range of each, float64 (k,). Infinite ends check
        nothing; a missing cell is outside where ``is_whole`` says that none was missing.
    vectors, vector_low, vector_high
        Vector columns, and the ranges of all their items one after the other. A missing item is
        inside.
    texts, levels
        Category and text columns, and the texts of each; None checks nothing but ``''``, which is
        a missing cell: it is outside where it is no level, or the levels are None.
    times
        Datetime columns of which no cell was missing: a missing one is outside. Their range is not
        looked at, for time goes on.
    """

    numbers: tuple[str, ...]
    low: FloatVector
    high: FloatVector
    is_whole: Mask
    vectors: tuple[str, ...]
    vector_low: FloatVector
    vector_high: FloatVector
    texts: tuple[str, ...]
    levels: tuple[tuple[str, ...] | None, ...]
    times: tuple[str, ...]

    def outputs(self, target: Target) -> tuple[Output, ...]:
        return (Output(name=OUT_OF_RANGE, type="bool", shape=(-1,)),)

    def of(self, columns: Columns) -> Mask:
        """Return which rows are outside, bool (n,), by numpy."""
        rows = len(next(iter(columns.values())))
        outside = np.zeros(rows, np.bool_)
        for number, name in enumerate(self.numbers):
            cells = columns[name]
            outside |= (cells < self.low[number]) | (cells > self.high[number])
            outside |= np.isnan(cells) & self.is_whole[number]
        if self.vectors:
            items = np.concatenate([columns[name] for name in self.vectors], axis=1)
            outside |= ((items < self.vector_low) | (items > self.vector_high)).any(axis=1)
        for name, levels in zip(self.texts, self.levels, strict=True):
            known = None if levels is None else frozenset(levels)
            outside |= np.array([t == "" if known is None else t not in known
                                 for t in columns[name]], np.bool_)  # fmt: skip
        for name in self.times:
            outside |= columns[name] == MISSING_TIME
        return outside

    def lower(self, graph: GraphBuilder, blend: Wire) -> Sequence[Table]:
        parts: list[Wire] = []  # BOOL [N, k] each
        tables: list[Table] = []
        if self.numbers:
            tables.append(lower_table(graph, self.numbers, TensorProto.DOUBLE))
            cells = tables[-1].wire
            parts.append(_beyond(graph, cells, self.low, self.high))
            if self.is_whole.any():
                places = np.flatnonzero(self.is_whole).tolist()
                some = pick(graph, cells, len(self.numbers), places)
                parts.append(graph.node("IsNaN", [some]))
        if self.vectors:
            items = graph.node("Concat", self.vectors, axis=1)
            parts.append(_beyond(graph, items, self.vector_low, self.vector_high))
        if self.texts:
            tables.append(lower_table(graph, self.texts, TensorProto.STRING))
            parts.append(self._unknown(graph, tables[-1].wire))
        if self.times:
            axis = graph.constant([1], np.int64)
            stacked = [graph.node("Unsqueeze", [name, axis]) for name in self.times]
            cells = stacked[0] if len(stacked) == 1 else graph.node("Concat", stacked, axis=1)
            parts.append(graph.node("Equal", [cells, graph.constant([MISSING_TIME], np.int64)]))
        every = parts[0] if len(parts) == 1 else graph.node("Concat", parts, axis=1)
        flags = graph.cast(every, TensorProto.FLOAT)
        worst = graph.node("ReduceMax", [flags, graph.constant([1], np.int64)], keepdims=0)
        graph.cast(worst, TensorProto.BOOL, to=OUT_OF_RANGE)
        return tables

    def _unknown(self, graph: GraphBuilder, cells: Wire) -> Wire:
        """Number all texts at once, and look up which column knows which, BOOL [N, k]."""
        known = dict.fromkeys([""])
        for levels in self.levels:
            known |= dict.fromkeys(levels or ())
        numbers = {text: number for number, text in enumerate(known)}
        is_unknown = np.ones((len(self.texts), len(numbers) + 1), np.bool_)
        for row, levels in zip(is_unknown, self.levels, strict=True):
            if levels is None:
                row[1:] = False
            else:
                row[[numbers[text] for text in levels]] = False
        number = graph.node(
            "LabelEncoder", [cells], domain=ML, keys_strings=list(numbers),
            values_int64s=list(numbers.values()), default_int64=len(numbers),
        )  # fmt: skip
        first = np.arange(len(self.texts), dtype=np.int64) * (len(numbers) + 1)
        place = graph.node("Add", [number, graph.constant(first)])
        return graph.node("Gather", [graph.constant(is_unknown.ravel()), place], axis=0)

    def expected(self, answers: FloatMatrix, columns: Columns) -> dict[str, Expected]:
        values = self.of(columns)
        # Cells are compared as they are: nothing is near.
        return {OUT_OF_RANGE: Expected(values, np.full(len(values), np.inf))}


def _beyond(graph: GraphBuilder, cells: Wire, low: FloatVector, high: FloatVector) -> Wire:
    """Return which numbers are outside their ranges; NaN is in none."""
    below = graph.node("Less", [cells, graph.constant(low, np.float64)])
    return graph.node("Or", [below, graph.node("Greater", [cells, graph.constant(high)])])
