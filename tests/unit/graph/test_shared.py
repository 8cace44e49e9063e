"""Features made together are those of the encoders one by one, bit for bit."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.graph import shared
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.concat import Concat
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.join import Join, NumberText
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.missing_flag import MissingFlag
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.feature import features_of
from drivetrain.graph.program import Member, Program, lower_with_places
from drivetrain.graph.run import open_session, run_blocks
from drivetrain.graph.tables import COLUMNS_KEY

KINDS = {"a": "number", "b": "boolean", "c": "number", "s": "category", "t": "category"}
CONTRACT = Contract(
    columns=(
        *(Column(name=name, kind=kind) for name, kind in KINDS.items()),  # type: ignore[arg-type]
        Column(name="when", kind="datetime"),
    ),
    target=Target(name="y", task="regression"),
)
AWKWARD = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-320, 1e300, 3.4e38, 0.1, 7.0, 2.0**53])
COLUMNS = {
    "a": AWKWARD,
    "b": np.roll(AWKWARD, 3),
    "c": np.roll(AWKWARD, 5),
    "s": np.array(["", "x", "y", "é", "?", "7", "0", "x", "zz", ""], dtype=object),
    "t": np.array(["x", "", "y", "x", "7", "", "b", "c", "d", "é"], dtype=object),
    "when": np.arange(10, dtype=np.int64) * 10**14,
}
random = np.random.default_rng(0)


def lookup(column: str, keys: tuple[str, ...], width: int) -> Lookup:
    values = random.normal(size=(len(keys) + 1, width)).astype(np.float32)
    values[:1] = np.nan
    return Lookup(column, "features", keys, values[1:], values[0])


def flagged(block: Number, kind: str) -> tuple[Block, ...]:
    flag = MissingFlag(block.column, "flag", kind)  # type: ignore[arg-type]
    return (block, flag, Concat((block.output, "flag"), "features"))


ENCODERS: dict[str, tuple[Block, ...]] = {
    "plain": (Number("a", "features"),),
    "scaled": (Number("b", "features", 0.3, 1.7, -5.0, 5.0, 0.25),),
    "the same column again": (Number("a", "features", 0.0, 1e3, fill=-1.0),),
    "flagged": flagged(Number("c", "value", 0.5, 2.0, fill=0.0), "number"),
    "flag of a text": (MissingFlag("s", "features", "category"),),
    "one wide": (lookup("s", ("x", "", "é"), 1),),
    "three wide": (lookup("t", ("y", "x"), 3),),
    "another of a column": (lookup("s", ("zz", "x"), 2),),
    "no keys": (lookup("t", (), 2),),
    "dates, made apart": (DatetimeParts("when", "features", ("year", "hour")),),
    "whole number": (NumberText("a", "w"), lookup("w", ("7", "", "?", "0"), 2)),
    "cross": (Join(("s", "t"), "j"), lookup("j", ("\x1fx", "x\x1f"), 1)),
    "cross of three": (
        NumberText("c", "w"),
        Join(("t", "w", "s"), "j"),
        lookup("j", ("\x1f7\x1fx", "c\x1f\x1fx"), 2),
    ),
    "a wire that hides a column": (Number("a", "s", 1.0), Concat(("s", "s"), "features")),
}


def matrix(encoders: list[tuple[Block, ...]], rows: slice) -> tuple[np.ndarray, onnx.ModelProto]:
    # What reads a copy may read all of it, so no feature is left out.
    fold = (Concat(("X",), "all"), Linear(np.zeros((1, 1)), np.zeros(1), input="all"))
    member = Member("m", tuple(encoders), (fold,), "identity")
    lowered = lower_with_places(Program(CONTRACT, (member,)))
    model = onnx.load_model_from_string(lowered.model)
    cut = onnx.load_model_from_string(lowered.model)
    del cut.graph.output[:]
    cut.graph.output.append(onnx.ValueInfoProto(name=lowered.members["m"].matrix))
    last = [node.name for node in cut.graph.node if lowered.members["m"].matrix in node.output]
    names = [node.name for node in cut.graph.node]
    del cut.graph.node[names.index(last[0]) + 1 :]
    part = {name: cells[rows] for name, cells in COLUMNS.items()}
    return open_session(cut.SerializeToString()).run(None, part)[0], model


def same(left: np.ndarray, right: np.ndarray) -> bool:
    equal = np.array_equal(left, right, equal_nan=True)
    return equal and np.array_equal(np.signbit(left), np.signbit(right))


@pytest.mark.parametrize("room", [shared.ROOM, 40, 0])
@pytest.mark.parametrize("names", [*([name] for name in ENCODERS), list(ENCODERS)], ids=str)
def test_features_made_together_are_those_of_each_encoder(
    names: list[str], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "ROOM", room)
    encoders = [ENCODERS[name] for name in names]
    apart = [run_blocks(blocks, COLUMNS, ["features"])["features"] for blocks in encoders]
    for rows in (slice(None), slice(0, 0), slice(2, 3), slice(7, 8)):
        made, _ = matrix(encoders, rows)
        assert same(made, np.concatenate(apart, axis=1)[rows])


def test_all_of_a_kind_is_one_node() -> None:
    _, model = matrix(list(ENCODERS.values()), slice(None))
    ops = [node.op_type for node in model.graph.node]
    assert ops.count("LabelEncoder") == 1
    assert ops.count("Max") == 1
    _, model = matrix([ENCODERS["plain"], ENCODERS["one wide"], ENCODERS["three wide"]], slice(1))
    assert len(model.graph.node) < 24


def test_a_lookup_without_room_keeps_a_node_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "ROOM", 0)
    _, model = matrix([ENCODERS["one wide"], ENCODERS["three wide"]], slice(None))
    assert [node.op_type for node in model.graph.node].count("LabelEncoder") == 2


def test_the_model_names_its_tables_and_their_columns() -> None:
    _, model = matrix(list(ENCODERS.values()), slice(None))
    tables = {
        info.name: json.loads(entry.value)
        for info in model.graph.value_info
        for entry in info.metadata_props
        if entry.key == COLUMNS_KEY
    }
    assert sorted(tables.values()) == [["a", "b", "c"], ["s", "t"]]
    assert set(tables) <= {wire for node in model.graph.node for wire in node.output}


@pytest.mark.parametrize("name", ["dates, made apart"])
def test_an_encoder_with_another_block_is_not_shared(name: str) -> None:
    assert features_of(ENCODERS[name], CONTRACT.columns) is None


def test_a_hidden_column_is_not_read_in_its_place() -> None:
    blocks = (Number("a", "s"), lookup("s", ("x",), 1))
    assert features_of(blocks, CONTRACT.columns) is None
