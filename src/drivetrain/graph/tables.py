"""Columns of one type side by side as one table, which the runtime may feed whole.

A graph has an input for each column: that is its face. An input costs a call about a microsecond,
one of texts nearly three, whatever is in it, so for one row the inputs cost more than what is done
with them. The table's wire is therefore named in the model's ``value_info``, with the columns that
it is made of: whoever runs the graph may feed the table itself, and leave out the nodes before it
(``drivetrain.runtime.packed`` does). Without that the graph is as right, and slower.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from drivetrain.graph.block import GraphBuilder, Wire
from drivetrain.graph.model import tensor

MANY_COLUMNS = 64
COLUMNS_KEY = "drivetrain.columns"  # metadata of a table's value_info: JSON list of names


@dataclass(frozen=True)
class Table:
    """A wire [N, columns]: DOUBLE, or STRING."""

    wire: Wire
    columns: tuple[Wire, ...]
    dtype: int

    def described(self) -> onnx.ValueInfoProto:
        """Return its entry in the model's ``value_info``."""
        info = tensor(self.wire, self.dtype, len(self.columns))
        info.metadata_props.add(key=COLUMNS_KEY, value=json.dumps(self.columns))
        return info


def lower_table(graph: GraphBuilder, columns: Sequence[Wire], dtype: int) -> Table:
    """Add the nodes that put columns, [N] each, side by side."""
    name = graph.fresh("texts" if dtype == TensorProto.STRING else "numbers")
    if len(columns) == 1:
        graph.node("Unsqueeze", [columns[0], graph.constant([1], np.int64)], to=name)
    else:
        flat = graph.node("Concat", columns, axis=0)
        shape = graph.constant([len(columns), -1], np.int64)
        graph.node("Transpose", [graph.node("Reshape", [flat, shape])], to=name, perm=[1, 0])
    table = Table(name, tuple(columns), dtype)
    graph.tables.append(table)
    return table


def share_table(graph: GraphBuilder, columns: Sequence[Wire], dtype: int) -> tuple[Table, Wire]:
    """Return a table that holds the columns, an earlier one where there is one, and their wire."""
    for known in graph.tables:
        if known.dtype == dtype and set(columns) <= set(known.columns):
            places = [known.columns.index(column) for column in columns]
            return known, pick(graph, known.wire, len(known.columns), places)
    table = lower_table(graph, columns, dtype)
    return table, table.wire


def pick(graph: GraphBuilder, wire: Wire, width: int, places: Sequence[int]) -> Wire:
    """Return the wire of some columns of a matrix, [N, width]: itself where that is all of them.

    A Gather copies cell by cell, 20 ns each, where it takes columns, and whole rows where it takes
    rows: many columns are taken as rows, which costs two nodes more.
    """
    if list(places) == list(range(width)):
        return wire
    if len(places) > MANY_COLUMNS:
        rows = graph.node("Transpose", [wire], perm=[1, 0])
        rows = graph.node("Gather", [rows, graph.constant(places, np.int64)], axis=0)
        return graph.node("Transpose", [rows], perm=[1, 0])
    return graph.node("Gather", [wire, graph.constant(places, np.int64)], axis=1)
