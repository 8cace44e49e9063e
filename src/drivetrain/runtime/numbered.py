"""Make a graph that takes numbers of texts, from one that begins by numbering its texts.

A text costs a batch a quarter of a microsecond to hand over, and a batch has few different ones in
a column. Where a table of texts is read by one LabelEncoder only, this node becomes a model of its
own, which numbers each different text once, and the rest a model that takes the numbers. Both run
nodes of the bundle's graph as they are; a row's answer has the same bits (docs/decisions/0070).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivetrain.runtime.packed import (
    GRAPH,
    INPUT,
    NAME,
    NODE,
    OUTPUT,
    READS,
    WRITES,
    Packed,
    Table,
    text_of,
)
from drivetrain.runtime.protobuf import VARINT, Field, fields, written

# onnx.proto
TITLE = 2  # of a graph
OPERATOR, ATTRIBUTE = 4, 5  # of a node
TYPE, TENSOR, ELEMENT, SHAPE = 2, 1, 1, 2  # of a value, its type, and this
INT64, STRING = 7, 8


@dataclass(frozen=True)
class Numbered:
    """A model that takes numbers in place of some tables of texts.

    Attributes
    ----------
    encoders
        For each such table, now named by its numbers: a model from texts [n] to numbers [n].
    """

    model: bytes
    tables: tuple[Table, ...]
    columns: tuple[str, ...]
    encoders: dict[Table, bytes]


def number(packed: Packed) -> Numbered | None:
    """Return the model with numbers as inputs; None where none of its tables is only numbered."""
    outer = list(fields(memoryview(packed.model)))
    inner = [part for field in outer if field.number == GRAPH for part in fields(field.content)]
    numberings = _numberings(inner, {table.name for table in packed.tables})
    if not numberings:
        return None
    tables = {
        table.name: Table(text_of(numberings[table.name], WRITES), table.columns)
        for table in packed.tables
        if table.name in numberings
    }
    gone = {id(node) for node in numberings.values()}
    graph: list[bytes | memoryview] = []
    for field in inner:
        name = text_of(field, NAME) if field.number == INPUT else ""
        if name in tables:
            graph.append(written(INPUT, _value(tables[name].name, INT64, _shape(field))))
        elif id(field) not in gone:
            graph.append(field.whole)
    return Numbered(
        _with_graph(outer, graph),
        tuple(tables.get(table.name, table) for table in packed.tables),
        packed.columns,
        {tables[name]: _encoder(outer, name, node) for name, node in numberings.items()},
    )


def _numberings(graph: list[Field], tables: set[str]) -> dict[str, Field]:
    """Return the node that numbers a table's texts, by the table, where no other node reads it."""
    readers: dict[str, list[Field]] = {}
    for field in graph:
        if field.number == NODE:
            for part in fields(field.content):
                if part.number == READS and (name := bytes(part.content).decode()) in tables:
                    readers.setdefault(name, []).append(field)
    return {
        name: nodes[0] for name, nodes in readers.items() if len(nodes) == 1 and _numbers(nodes[0])
    }


def _numbers(node: Field) -> bool:
    """Tell whether a node finds an integer for each text."""
    names = {text_of(part, NAME) for part in fields(node.content) if part.number == ATTRIBUTE}
    return text_of(node, OPERATOR) == "LabelEncoder" and {"keys_strings", "values_int64s"} <= names


def _shape(value: Field) -> bytes:
    """Return the field of a value's shape as it is written."""
    for outer in fields(value.content):
        if outer.number == TYPE:
            for tensor in fields(outer.content):
                for part in fields(tensor.content):
                    if part.number == SHAPE:
                        return bytes(part.whole)
    return b""


def _value(name: str, element: int, shape: bytes = b"") -> bytes:
    """Write a tensor's name and type; without a shape it may be of any."""
    tensor = bytes((ELEMENT << 3 | VARINT, element)) + shape
    return written(NAME, name.encode()) + written(TYPE, written(TENSOR, tensor))


def _encoder(outer: list[Field], table: str, node: Field) -> bytes:
    """Write the model of one node."""
    graph = (
        node.whole,
        written(TITLE, b"texts"),
        written(INPUT, _value(table, STRING)),
        written(OUTPUT, _value(text_of(node, WRITES), INT64)),
    )
    return _with_graph(outer, graph)


def _with_graph(outer: list[Field], graph: Sequence[bytes | memoryview]) -> bytes:
    return b"".join(
        written(GRAPH, b"".join(graph)) if field.number == GRAPH else field.whole for field in outer
    )
