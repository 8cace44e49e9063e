"""From a foreign model to a graph with a bundle's face: typed columns in, predictions out.

::

    columns ─Pack→ the model's inputs ─Foreign→ its output ─link→ blend ─head→ prediction, …
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from onnx import TensorProto

from drivetrain.core.arrays import FloatMatrix
from drivetrain.core.contract import Contract, Target
from drivetrain.core.errors import InternalError
from drivetrain.graph.block import ML, OPSETS, Block, GraphBuilder, Names, Wire
from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.blocks.link import LinkBlock
from drivetrain.graph.blocks.pack import Pack
from drivetrain.graph.head import Extra, Head, graph_input
from drivetrain.graph.model import make_model

MODEL = "model"  # names the foreign nodes in the graph
OUTPUT, SCORE, BLEND = "output", "score", "blend"


@dataclass(frozen=True)
class Feed:
    """One input of the model, and the columns of the Contract that it is made of, in order.

    ``dtype`` is its numpy type, or "string"; ``is_matrix`` says that it is [N, k], not [N].
    """

    name: str
    columns: tuple[str, ...]
    dtype: str
    is_matrix: bool


@dataclass(frozen=True)
class Adopted:
    """A foreign model and how it is read as a prediction.

    Attributes
    ----------
    output
        Name of its output that is read: [N], [N, 1] or [N, K].
    width
        Items of a row of that output.
    link
        From the output to the value or the probabilities. An output of one item for two classes
        is the second's; of two items for two classes, each one's.
    ml_version
        Version of ai.onnx.ml that its operators need.
    """

    contract: Contract
    model: bytes
    feeds: tuple[Feed, ...]
    output: str
    width: int
    link: Literal["identity", "sigmoid", "softmax"]
    ml_version: int = OPSETS[ML]
    threshold: float = 0.5
    costs: FloatMatrix | None = None
    extras: tuple[Extra, ...] = ()

    @property
    def head(self) -> Head:
        """What the graph answers; InternalError if the contract has no target."""
        return Head(_target(self.contract), self.threshold, self.costs, self.extras)


def lower_adopted(adopted: Adopted) -> bytes:
    """Lower a foreign model to the bytes of ``model.onnx``.

    Raises
    ------
    DataError
        If the model, or a column's name, cannot be a part of a bundle.
    InternalError
        If the contract has no target.
    """
    contract, head = adopted.contract, adopted.head
    graph = GraphBuilder(
        reserved=frozenset({*contract.names, *head.names}),
        opsets={**OPSETS, ML: adopted.ml_version},
    )
    inputs = [graph_input(column, head.names) for column in contract.columns]
    wires = graph.lower(_blocks(adopted), {name: name for name in contract.names}, MODEL)
    blend = _blend(graph, wires[OUTPUT], adopted, head.target)
    return make_model(graph, inputs, head.lower(graph, blend)[0])


def _blocks(adopted: Adopted) -> list[Block]:
    packs: list[Block] = []
    pairs: list[tuple[Wire, str]] = []
    for number, feed in enumerate(adopted.feeds):
        columns = [adopted.contract.column(name) for name in feed.columns]
        wire = columns[0].name
        if len(columns) > 1 or (feed.is_matrix and columns[0].kind != "vector"):
            wire = f"input#{number}"
            packs.append(Pack(feed.columns, tuple(column.width for column in columns), wire))
        pairs.append((wire, feed.name))
    return [*packs, Foreign(adopted.model, tuple(pairs), ((adopted.output, OUTPUT),))]


def _blend(graph: GraphBuilder, wire: Wire, adopted: Adopted, target: Target) -> Wire:
    """Add the link; return DOUBLE [N, 1] for a value or two classes, else [N, K]."""
    score = graph.cast(wire, TensorProto.DOUBLE)
    score = graph.node("Reshape", [score, graph.constant([-1, adopted.width], np.int64)])
    names: Names = {SCORE: score}
    names = graph.lower([LinkBlock(SCORE, BLEND, adopted.link)], names, "link")
    if target.task == "binary" and adopted.width == 2:
        return graph.node("Gather", [names[BLEND], graph.constant([1], np.int64)], axis=1)
    return names[BLEND]


def _target(contract: Contract) -> Target:
    if contract.target is None:
        raise InternalError(
            where="adopted model",
            expected="a contract with a target",
            got="none",
            remedy="Report this as a fault of drivetrain.",
            code="DT7G0",
        )
    return contract.target
