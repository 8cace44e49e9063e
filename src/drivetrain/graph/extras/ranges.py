"""Whether a row is unlike the training data: a cell outside what was seen of its column, or cells
that are not seen together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import MISSING_TIME, Columns, FloatMatrix, FloatVector, Mask
from drivetrain.core.contract import Target
from drivetrain.core.manifest import OUT_OF_RANGE, Output
from drivetrain.graph.block import ML, GraphBuilder, Wire
from drivetrain.graph.blocks.trees import attributes, joined
from drivetrain.graph.extras.fences import FREE, OUTSIDE, Fenced
from drivetrain.graph.extras.together import Together
from drivetrain.graph.head import Expected
from drivetrain.graph.tables import Table, share_table

FLAG = (-np.inf, 0.5, False)  # the range of a feature that is 1 where a cell is outside


@dataclass(frozen=True)
class Ranges:
    """``out_of_range``, BOOL [N]: true where any cell is none of its column's, or where they are
    unlike together.

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
    together
        Looks at the numbers and texts of a row as :meth:`features` gives them; None where nobody
        does.
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
    together: Together | None = None

    def outputs(self, target: Target) -> tuple[Output, ...]:
        return (Output(name=OUT_OF_RANGE, type="bool", shape=(-1,)),)

    def features(self, columns: Columns) -> FloatMatrix:
        """Return what ``together`` reads: the numbers, and the number of each text, (n, k).

        A text has one number in all columns, and one that no column knows the greatest.
        """
        known = self._numbered()
        numbers = [columns[name] for name in self.numbers]
        texts = [[known.get(text, len(known)) for text in columns[name]] for name in self.texts]
        return np.array([*numbers, *texts], np.float64).T

    def of(self, columns: Columns) -> Mask:
        """Return which rows are outside, bool (n,), by numpy."""
        outside = self._beyond(columns)
        if self.together is not None:
            outside |= self.together.scores(self.features(columns)) < self.together.least
        return outside

    def _beyond(self, columns: Columns) -> Mask:
        """Return which rows have a cell that is none of its column's, (n,)."""
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
        tables: list[Table] = []
        fenced = Fenced()
        if self.numbers:
            table, cells = share_table(graph, self.numbers, TensorProto.DOUBLE)
            tables.append(table)
            fenced.add(cells, zip(self.low, self.high, self.is_whole, strict=True))
        if self.texts:
            table, cells = share_table(graph, self.texts, TensorProto.STRING)
            tables.append(table)
            number = self._number(graph, cells)
            if self.together is not None:  # reads what stands before any other feature
                fenced.add(graph.cast(number, TensorProto.DOUBLE), [FREE] * len(self.texts))
            fenced.add(self._unknown(graph, number), [FLAG] * len(self.texts))
        if self.vectors:
            ends = zip(self.vector_low, self.vector_high, strict=True)
            items = graph.node("Concat", self.vectors, axis=1)
            fenced.add(items, [(low, high, False) for low, high in ends])
        if self.times:
            axis = graph.constant([1], np.int64)
            stacked = [graph.node("Unsqueeze", [name, axis]) for name in self.times]
            cells = stacked[0] if len(stacked) == 1 else graph.node("Concat", stacked, axis=1)
            is_missing = graph.node("Equal", [cells, graph.constant([MISSING_TIME], np.int64)])
            fenced.add(graph.cast(is_missing, TensorProto.DOUBLE), [FLAG] * len(self.times))
        trees, least = fenced.trees(), OUTSIDE / 2
        if self.together is not None:
            trees = joined([trees, self.together.trees], 1.0)
            least = self.together.least - float(self.together.trees.base[0])
        score = graph.node("TreeEnsemble", [fenced.whole(graph)], domain=ML, **attributes(trees, 1))
        is_below = graph.node("Less", [score, graph.constant(least, np.float64)])
        graph.node("Reshape", [is_below, graph.constant([-1], np.int64)], to=OUT_OF_RANGE)
        return tables

    def _numbered(self) -> dict[str, int]:
        """Number all texts that a column knows; ``''`` is 0."""
        known = dict.fromkeys([""])
        for levels in self.levels:
            known |= dict.fromkeys(levels or ())
        return {text: number for number, text in enumerate(known)}

    def _number(self, graph: GraphBuilder, cells: Wire) -> Wire:
        """Number all texts of all columns at once, INT64 [N, k]."""
        numbers = self._numbered()
        return graph.node(
            "LabelEncoder", [cells], domain=ML, keys_strings=list(numbers),
            values_int64s=list(numbers.values()), default_int64=len(numbers),
        )  # fmt: skip

    def _unknown(self, graph: GraphBuilder, number: Wire) -> Wire:
        """Look up which column does not know its text: 0 or 1, DOUBLE [N, k]."""
        numbers = self._numbered()
        is_unknown = np.ones((len(self.texts), len(numbers) + 1))
        for row, levels in zip(is_unknown, self.levels, strict=True):
            if levels is None:
                row[1:] = 0.0
            else:
                row[[numbers[text] for text in levels]] = 0.0
        first = np.arange(len(self.texts), dtype=np.int64) * (len(numbers) + 1)
        place = graph.node("Add", [number, graph.constant(first)])
        return graph.node("Gather", [graph.constant(is_unknown.ravel()), place], axis=0)

    def expected(self, answers: FloatMatrix, columns: Columns) -> dict[str, Expected]:
        outside = self._beyond(columns)
        # Cells are compared as they are: nothing is near. A score is a sum.
        distance = np.full(len(outside), np.inf)
        if self.together is not None:
            over = self.together.scores(self.features(columns)) - self.together.least
            distance = np.where(outside, np.inf, np.abs(over))
            outside = outside | (over < 0)
        return {OUT_OF_RANGE: Expected(outside, distance)}
