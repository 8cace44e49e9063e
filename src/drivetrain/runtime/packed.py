"""Make a graph that takes its columns as a few tables, from one that takes them one by one.

An input costs a call about a microsecond, one of texts nearly three, so for one row the inputs cost
as much as all that is done with them but the trees. The graph says itself which of its wires are
tables of columns: entries of ``value_info`` with the metadata ``drivetrain.columns``. Here these
wires become inputs, and the nodes that made them are left out. Every other byte of the model stays.
The onnx library is not there to score, so the protobuf is read here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from drivetrain.runtime.protobuf import Field, fields, written

COLUMNS_KEY = "drivetrain.columns"
# onnx.proto: the fields that are read here
GRAPH = 7  # of a model
NODE, INPUT, OUTPUT, VALUE_INFO = 1, 11, 12, 13  # of a graph
READS, WRITES = 1, 2  # of a node
NAME, METADATA = 1, 4  # of a value
KEY, VALUE = 1, 2  # of an entry of metadata


@dataclass(frozen=True)
class Table:
    """An input [n, columns], and the columns that are side by side in it."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Packed:
    """A model with tables as inputs.

    Attributes
    ----------
    inputs
        The inputs of the model as it was, all columns.
    tables
        Inputs that are tables now.
    columns
        Inputs that are still columns.
    """

    model: bytes
    inputs: tuple[str, ...]
    tables: tuple[Table, ...]
    columns: tuple[str, ...]


def pack(model: bytes) -> Packed | None:
    """Return the model with tables as inputs; None where it names no tables.

    Raises
    ------
    ValueError
        If the bytes are no protobuf message.
    """
    if COLUMNS_KEY.encode() not in model:
        return None
    outer = list(fields(memoryview(model)))
    inner = [part for field in outer if field.number == GRAPH for part in fields(field.content)]
    found = [_table(field) for field in inner if field.number == VALUE_INFO]
    tables = {table.name: table for table in found if table is not None}
    if not tables:
        return None
    nodes, read = _needed(inner, set(tables))
    graph: list[bytes | memoryview] = []
    inputs, columns = [], []
    for field in inner:
        name = text_of(field, NAME) if field.number in (INPUT, VALUE_INFO) else ""
        if field.number == INPUT:
            inputs.append(name)
            if name not in read:  # its table is given, or nothing in the graph needs it
                continue
            columns.append(name)
        if field.number == VALUE_INFO and name in tables:
            graph.append(written(INPUT, field.content))
        elif field.number != NODE or id(field) in nodes:
            graph.append(field.whole)
    made = b"".join(
        written(GRAPH, b"".join(graph)) if field.number == GRAPH else field.whole for field in outer
    )
    return Packed(made, tuple(inputs), tuple(tables.values()), tuple(columns))


def _needed(graph: list[Field], given: set[str]) -> tuple[set[int], set[str]]:
    """Return the nodes (ids of their fields) needed when some wires are given, and what is read."""
    read = {text_of(field, NAME) for field in graph if field.number == OUTPUT}
    nodes = set()
    for field in reversed(graph):  # a wire is written before it is read
        if field.number == NODE:
            parts = list(fields(field.content))
            wires = {_decoded(part) for part in parts if part.number == WRITES}
            if wires & read - given:
                nodes.add(id(field))
                read.update(_decoded(part) for part in parts if part.number == READS)
    return nodes, read


def _table(field: Field) -> Table | None:
    for entry in fields(field.content):
        if entry.number == METADATA and text_of(entry, KEY) == COLUMNS_KEY:
            return Table(text_of(field, NAME), tuple(json.loads(text_of(entry, VALUE))))
    return None


def text_of(field: Field, number: int) -> str:
    """Return the first text of a message's field of this number; '' where it has none."""
    return next((_decoded(part) for part in fields(field.content) if part.number == number), "")


def _decoded(field: Field) -> str:
    return bytes(field.content).decode()
