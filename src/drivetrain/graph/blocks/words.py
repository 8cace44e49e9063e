"""Words of a text, weighted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import Features
from drivetrain.graph.block import MICROSOFT, GraphBuilder, Wire

WORD = r"[\pL\pN]+"  # RE2: runs of letters and digits of any script


@dataclass(frozen=True)
class Tokens:
    """Cut texts into words: STRING [N] to STRING [N, m], rows filled up with ``''``.

    m is the largest number of words of a row. A word is a run of Unicode letters and
    digits; ``lower`` turns A-Z into a-z and leaves other letters as they are, because the "C"
    locale is the only one that every machine has.
    """

    column: Wire
    output: Wire
    lower_case: bool = True

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        without_first(graph, tokens(graph, self.column, self.lower_case), to=self.output)


@dataclass(frozen=True)
class Words:
    """Weigh the words of a text, and pairs of them: STRING [N] to FLOAT [N, V].

    Feature v is the number of times word or pair v occurs, times its weight; with ``normalise``
    each row is then divided by its Euclidean length. A text without a known word is all zeros.
    Words are cut as :class:`Tokens` does; a pair is two words that follow each other. Where
    ``forms`` are known, each counts for its entry and no letter is made small, which takes as long
    as cutting: a form that is not among them does not count.

    Attributes
    ----------
    vocabulary
        V different words, then pairs, each with a blank between its words; V >= 1; in lower case
        where ``lower_case``.
    weights
        float32 (V,), such as inverse document frequencies.
    forms, form_of
        Other spellings of entries, all different and none of them an entry; and of which.
    """

    column: Wire
    output: Wire
    vocabulary: tuple[str, ...]
    weights: Features
    lower_case: bool = True
    normalise: bool = True
    forms: tuple[str, ...] = ()
    form_of: tuple[int, ...] = ()

    @property
    def inputs(self) -> tuple[Wire, ...]:
        return (self.column,)

    @property
    def outputs(self) -> tuple[Wire, ...]:
        return (self.output,)

    def lower(self, graph: GraphBuilder) -> None:
        entries = [*enumerate(self.vocabulary), *zip(self.form_of, self.forms, strict=True)]
        singles = [(place, entry) for place, entry in entries if " " not in entry]
        pairs = [(place, entry) for place, entry in entries if " " in entry]
        counts = graph.node(
            "TfIdfVectorizer",
            [tokens(graph, self.column, self.lower_case and not self.forms)],
            mode="TFIDF",
            min_gram_length=1,
            max_gram_length=2 if pairs else 1,
            max_skip_count=0,
            ngram_counts=[0, len(singles)] if pairs else [0],
            ngram_indexes=[place for place, _ in singles + pairs],
            pool_strings=[word for _, entry in singles + pairs for word in entry.split(" ")],
            weights=[float(self.weights[place]) for place, _ in singles + pairs],
        )
        if not self.normalise:
            without_first(graph, counts, to=self.output)
            return
        wide = graph.cast(without_first(graph, counts), TensorProto.DOUBLE)
        # A product with ones: the order of ReduceSum depends on where the row lies in memory.
        ones = graph.constant(np.ones((len(self.vocabulary), 1)))
        squares = graph.node("MatMul", [graph.node("Mul", [wide, wide]), ones])
        zero, one = graph.constant(0.0, np.float64), graph.constant(1.0, np.float64)
        is_empty = graph.node("Equal", [squares, zero])
        length = graph.node("Sqrt", [graph.node("Where", [is_empty, one, squares])])
        graph.cast(graph.node("Div", [wide, length]), TensorProto.FLOAT, to=self.output)


def tokens(graph: GraphBuilder, wire: Wire, lower_case: bool) -> Wire:
    """Add the nodes that cut STRING [N] into STRING [1 + N, m], the first row empty.

    The first row is there because ONNX Runtime's StringNormalizer refuses zero rows;
    :func:`without_first` takes it off again.
    """
    wire = graph.node("Concat", [graph.constant([""]), wire], axis=0)
    if lower_case:
        wire = graph.node("StringNormalizer", [wire], case_change_action="LOWER", locale="C")
    return graph.node(
        "Tokenizer", [wire], domain=MICROSOFT, mark=0, mincharnum=1, pad_value="", tokenexp=WORD
    )


def without_first(graph: GraphBuilder, wire: Wire, *, to: Wire | None = None) -> Wire:
    """Add the node that takes the first row off."""
    start, end = graph.constant([1], np.int64), graph.constant([np.iinfo(np.int64).max], np.int64)
    return graph.node("Slice", [wire, start, end, graph.constant([0], np.int64)], to=to)
