"""Features of many columns made together, where each encoder would have nodes of its own.

For one row the cost of a graph is its number of nodes, about a microsecond each. So columns of one
type are put side by side, and each step is one node for all of them::

    numbers [N, C] ─scale, clip, cast────────────┐
       ├─is missing?─────────────────────────────┤
       └─as text─┐                               ├─Concat→ features ─Gather→ X of a member
    texts [N, S]─┴─join─ texts ───LabelEncoder───┤
                            └─is missing?────────┘

The features are those of the blocks one by one, bit for bit. One LabelEncoder numbers the texts of
all lookups, and each lookup then has a row of its own for each of these numbers; a lookup for which
that takes too much room keeps a LabelEncoder of its own. An encoder with other blocks than the ones
here (dates, words, vectors, foreign models) is lowered by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import Features
from drivetrain.graph.block import ML, GraphBuilder, Wire
from drivetrain.graph.blocks.join import joined, whole_texts
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number, scaled
from drivetrain.graph.feature import Feature, Found, Joined, Text, Whole
from drivetrain.graph.tables import Table, lower_table, pick

ROOM = 2**18  # float32 numbers in the one table of all lookups: 1 MB, within a core's cache


def _parts(text: Text) -> tuple[Wire | Whole, ...]:
    return text.parts if isinstance(text, Joined) else (text,)


@dataclass
class SharedFeatures:
    """All features of a program that are made together.

    Attributes
    ----------
    tables
        The tables of columns that they are made from.
    wire
        FLOAT [N, width].
    """

    tables: tuple[Table, ...] = ()
    wire: Wire = ""
    width: int = 0
    _places: dict[Feature, range] = field(default_factory=dict)

    def places(self, features: Iterable[Feature]) -> list[int]:
        """Return the columns of ``wire`` in which some features are."""
        return [place for feature in features for place in self._places[feature]]

    def add(self, features: Iterable[Feature], width: int = 1) -> None:
        """Say that features are in the next columns, each in ``width`` of them."""
        for feature in features:
            used = feature.width if isinstance(feature, Found) else 1
            self._places.setdefault(feature, range(self.width, self.width + used))
            self.width += width


def lower_shared(graph: GraphBuilder, features: Iterable[Feature]) -> SharedFeatures:
    """Add the nodes that make these features, each once."""
    wanted = list(dict.fromkeys(features))
    numbers = [feature for feature in wanted if isinstance(feature, Number)]
    flags = [feature for feature in wanted if isinstance(feature, MissingFlag)]
    number_flags = [flag for flag in flags if flag.kind in ("number", "boolean")]
    text_flags = [flag for flag in flags if flag.kind not in ("number", "boolean")]
    finds = [feature for feature in wanted if isinstance(feature, Found)]
    sources = _Sources(graph, [*numbers, *number_flags], text_flags, finds)
    made = SharedFeatures(sources.tables)
    parts: list[Wire] = []
    if numbers:
        parts.append(scaled(graph, sources.numbers([one.column for one in numbers]), numbers))
        made.add(numbers)
    if number_flags:
        missing = graph.node("IsNaN", [sources.numbers([flag.column for flag in number_flags])])
        parts.append(graph.cast(missing, TensorProto.FLOAT))
        made.add(number_flags)
    if text_flags:
        cells = sources.texts([flag.column for flag in text_flags])
        missing = graph.node("Equal", [cells, graph.constant([""])])
        parts.append(graph.cast(missing, TensorProto.FLOAT))
        made.add(text_flags)
    together, apart = split_by_room(finds)
    if together:
        parts.append(_lower_together(graph, sources, together))
        made.add(together, max(find.width for find in together))
    for find in apart:
        cells = sources.text(find.text)
        block = replace(find.lookup, column="cells", output="found")
        parts.append(graph.lower([block], {"cells": cells}, "lookup")["found"])
        made.add([find], find.width)
    if parts:
        made.wire = parts[0] if len(parts) == 1 else graph.node("Concat", parts, axis=1)
    return made


class _Sources:
    """Tables of the columns that features read, and of texts made from them."""

    def __init__(
        self,
        graph: GraphBuilder,
        numbers: Sequence[Number | MissingFlag],
        text_flags: Sequence[MissingFlag],
        finds: Sequence[Found],
    ) -> None:
        self.graph = graph
        made = dict.fromkeys(find.text for find in finds)
        parts = dict.fromkeys(part for text in made for part in _parts(text))
        self._wholes = [part for part in parts if isinstance(part, Whole)]
        named = [part for part in parts if isinstance(part, str)]
        self._numbers = self._table(
            [*(one.column for one in numbers), *(whole.column for whole in self._wholes)],
            TensorProto.DOUBLE,
        )
        self._texts = self._table(
            [*named, *(flag.column for flag in text_flags)], TensorProto.STRING
        )
        self.tables = tuple(table for table in (self._numbers, self._texts) if table.columns)
        self._made: list[Text] = []
        self._made_wire = self._lower_texts([text for text in made if isinstance(text, Joined)])

    def _table(self, columns: Sequence[Wire], dtype: int) -> Table:
        distinct = tuple(dict.fromkeys(columns))
        return lower_table(self.graph, distinct, dtype) if distinct else Table("", (), dtype)

    def _lower_texts(self, joins: Sequence[Joined]) -> Wire:
        """Put columns, whole numbers and joined texts side by side; return the wire."""
        wires = []
        if self._texts.columns:
            self._made += self._texts.columns
            wires.append(self._texts.wire)
        if self._wholes:
            self._made += self._wholes
            cells = self.numbers([whole.column for whole in self._wholes])
            wires.append(whole_texts(self.graph, cells))
        self._made_wire = self._side_by_side(wires)
        in_order: list[Joined] = []
        for count in sorted({len(join.parts) for join in joins}):
            alike = [join for join in joins if len(join.parts) == count]
            in_order += alike
            parts = [self.texts([join.parts[place] for join in alike]) for place in range(count)]
            wires.append(joined(self.graph, parts))
        self._made += in_order
        return self._side_by_side(wires)

    def _side_by_side(self, wires: Sequence[Wire]) -> Wire:
        if len(wires) < 2:
            return wires[0] if wires else ""
        return self.graph.node("Concat", wires, axis=1)

    def numbers(self, columns: Sequence[Wire]) -> Wire:
        """Return number columns, DOUBLE [N, k]."""
        every = self._numbers.columns
        places = [every.index(column) for column in columns]
        return pick(self.graph, self._numbers.wire, len(every), places)

    def texts(self, texts: Sequence[Text]) -> Wire:
        """Return texts, STRING [N, k]."""
        places = [self._made.index(text) for text in texts]
        return pick(self.graph, self._made_wire, len(self._made), places)

    def text(self, text: Text) -> Wire:
        """Return one text, STRING [N]."""
        return self.graph.node("Reshape", [self.texts([text]), self.graph.constant([-1], np.int64)])


def split_by_room(finds: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """Divide lookups into those that share one table of at most ROOM numbers, and the others.

    The smallest share; both parts keep the order that the lookups have.
    """
    together: set[Found] = set()
    keys: set[str] = set()
    width = 0
    for find in sorted(finds, key=lambda find: len(find.lookup.keys) * find.width):
        more, wider = keys.union(find.lookup.keys), max(width, find.width)
        if (len(together) + 1) * (len(more) + 1) * wider > ROOM:
            break
        together.add(find)
        keys, width = more, wider
    shared = [find for find in finds if find in together]
    return shared, [find for find in finds if find not in together]


def _lower_together(graph: GraphBuilder, sources: _Sources, finds: Sequence[Found]) -> Wire:
    """Look all up at once, FLOAT [N, finds * widest]: narrower ones are followed by zeros."""
    numbers = {key: 0 for find in finds for key in find.lookup.keys} or {"": 0}
    numbers = {key: number for number, key in enumerate(numbers)}
    texts = list(dict.fromkeys(find.text for find in finds))
    number = graph.node(
        "LabelEncoder",
        [sources.texts(texts)],
        domain=ML,
        keys_strings=list(numbers),
        values_int64s=list(numbers.values()),
        default_int64=len(numbers),
    )
    number = pick(graph, number, len(texts), [texts.index(find.text) for find in finds])
    width = max(find.width for find in finds)
    tables = np.stack([_rows(find, numbers, width) for find in finds])
    first_rows = np.arange(len(finds), dtype=np.int64) * (len(numbers) + 1)
    row = graph.node("Add", [number, graph.constant(first_rows)])
    found = graph.node("Gather", [graph.constant(tables.reshape(-1, width)), row], axis=0)
    return graph.node("Reshape", [found, graph.constant([0, len(finds) * width], np.int64)])


def _rows(find: Found, numbers: Mapping[str, int], width: int) -> Features:
    """Return what a lookup gives for each numbered text, and last for any other: (K + 1, width)."""
    lookup, own = find.lookup, find.width
    table = np.zeros((len(numbers) + 1, width), np.float32)
    table[:, :own] = np.asarray(lookup.default, np.float32).reshape(own)
    rows = [numbers[key] for key in lookup.keys]
    table[rows, :own] = np.asarray(lookup.values, np.float32).reshape(len(rows), own)
    return table
