"""The law: a row alone is the row in its batch, bit for bit, and no rows are no answers."""

from __future__ import annotations

import numpy as np
import pytest

from drivetrain.graph.block import Block, Wire
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.datetime_parts import PARTS, DatetimeParts
from drivetrain.graph.blocks.join import Join, NumberText
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.link import LinkBlock, WeightedSum
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number, Vector
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.run import run_blocks

ROWS = 61
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 7)).astype(np.float32)
WIRES = {
    "x": np.where(random.random(ROWS) < 0.2, np.nan, random.normal(size=ROWS) * 1e3),
    "v": random.normal(size=(ROWS, 3)),
    "t": random.integers(-(10**17), 10**17, ROWS),
    "s": np.array(["a", "", "b c", "é é a", "zz " * 30], dtype=object)[random.integers(0, 5, ROWS)],
    "X": X,
    "m": random.normal(size=(ROWS, 1)) * 3,
    "m3": random.normal(size=(ROWS, 3)) * 3,
    "m7": random.normal(size=(ROWS, 7)) * 3,
}
words = tuple(f"w{number}" for number in range(33))
BLOCKS: dict[str, tuple[Block, Wire]] = {
    "number": (Number("x", "o", 0.3, 1.7, -50.0, 50.0), "o"),
    "vector": (Vector("v", "o", 0.3, 1.7, -1.0, 1.0, 0.0), "o"),
    "missing": (MissingFlag("v", "o", "vector"), "o"),
    "lookup": (Lookup("s", "o", ("a", ""), X[:2, :3], X[2, :3]), "o"),
    "join": (Join(("s", "s"), "o"), "o"),
    "number text": (NumberText("x", "o"), "o"),
    "datetime": (DatetimeParts("t", "o", tuple(PARTS)), "o"),
    "words": (Words("s", "o", ("a", "é", "zz", *words), random.random(36).astype("f4")), "o"),
    "concat": (Concat(("X", "X"), "o"), "o"),
    "linear": (Linear(random.normal(size=(7, 1)), np.ones(1)), "margin"),
    "linear, 3 targets": (Linear(random.normal(size=(7, 3)), np.ones(3)), "margin"),
    "sigmoid": (LinkBlock("m", "o", "sigmoid"), "o"),
    "softmax of 3": (LinkBlock("m3", "o", "softmax"), "o"),
    "softmax of 7": (LinkBlock("m7", "o", "softmax"), "o"),
    "weighted sum": (WeightedSum(("m3", "m3"), "o", (0.3, 0.7)), "o"),
}


def bits(array: np.ndarray) -> object:
    return array.tolist() if array.dtype == object else array.tobytes()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_row_alone_is_the_row_in_its_batch(name: str) -> None:
    block, output = BLOCKS[name]
    batch = run_blocks([block], {}, [output], WIRES)[output]
    assert len(batch) == ROWS
    for start, size in [(0, 1), (1, 1), (2, 1), (3, 2), (5, 3), (8, 5), (13, 48)]:
        part = {wire: array[start : start + size] for wire, array in WIRES.items()}
        alone = run_blocks([block], {}, [output], part)[output]
        assert bits(alone) == bits(batch[start : start + size])


@pytest.mark.parametrize("name", BLOCKS)
def test_no_rows_are_no_answers(name: str) -> None:
    block, output = BLOCKS[name]
    none = run_blocks([block], {}, [output], {wire: array[:0] for wire, array in WIRES.items()})
    assert len(none[output]) == 0


def test_the_law_can_fail() -> None:
    """ONNX Runtime's own Exp gives a row another last digit alone than in a pair."""
    from drivetrain.graph.block import GraphBuilder

    class PairedExp:
        inputs, outputs = ("m",), ("o",)

        def lower(self, graph: GraphBuilder) -> None:
            graph.node("Exp", ["m"], to="o")

    batch = run_blocks([PairedExp()], {}, ["o"], WIRES)["o"]
    alone = [
        run_blocks([PairedExp()], {}, ["o"], {"m": WIRES["m"][row : row + 1]})["o"]
        for row in range(ROWS)
    ]
    assert np.concatenate(alone).tobytes() != batch.tobytes()
