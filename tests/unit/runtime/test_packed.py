"""A graph that takes tables instead of columns answers the same bits."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.graph import tables
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.datetime_parts import DatetimeParts
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.blocks.words import Words
from drivetrain.graph.program import Member, Program, lower
from drivetrain.graph.run import open_session
from drivetrain.runtime import packed
from drivetrain.runtime.packed import Table, pack
from drivetrain.runtime.session import Session

CONTRACT = Contract(
    columns=(
        Column(name="ä", kind="number"),
        Column(name="s", kind="category"),
        Column(name="note", kind="text"),
        Column(name="b", kind="boolean"),
        Column(name="t", kind="category"),
        Column(name="when", kind="datetime"),
    ),
    target=Target(name="y", task="binary", classes=("no", "yes"), label_type="string"),
)
ROWS = 50
random = np.random.default_rng(0)
LETTERS = np.array(["x", "", "é", "unseen"], dtype=object)
COLUMNS: Columns = {
    "ä": random.normal(size=ROWS),
    "s": LETTERS[random.integers(0, 4, ROWS)],
    "note": LETTERS[random.integers(0, 4, ROWS)],
    "b": np.where(random.random(ROWS) < 0.3, np.nan, 1.0),
    "t": LETTERS[random.integers(0, 4, ROWS)],
    "when": random.integers(0, 10**15, ROWS),
}


def program(*more: tuple[Block, ...]) -> bytes:
    values = random.normal(size=(2, 2)).astype(np.float32)
    encoders: tuple[tuple[Block, ...], ...] = (
        (Number("ä", "features"),),
        (Lookup("s", "features", ("x", ""), values, values[0]),),
        (Number("b", "features", fill=0.5),),
        (Lookup("t", "features", ("é",), values[:1], values[1]),),
        *more,
    )
    fold = Linear(random.normal(size=(6 + len(more), 1)), np.zeros(1))
    return lower(Program(CONTRACT, (Member("m", encoders, ((fold,),), "sigmoid"),)))


def test_tables_take_the_place_of_columns_and_what_nothing_reads_is_not_taken() -> None:
    model = program((DatetimeParts("when", "features", ("year",)),))
    made = pack(model)
    assert made is not None
    assert [table.columns for table in made.tables] == [("ä", "b"), ("s", "t")]
    assert made.columns == ("when",)
    assert made.inputs == CONTRACT.names
    onnx.checker.check_model(onnx.load_model_from_string(made.model))
    names = {info.name for info in open_session(made.model).get_inputs()}
    assert names == {"when", *(table.name for table in made.tables)}


def test_a_column_that_is_read_elsewhere_too_stays_an_input() -> None:
    weights = np.ones(1, np.float32)
    made = pack(program((Words("s", "features", ("x",), weights),)))
    assert made is not None
    assert "s" in made.columns
    assert ("s", "t") in [table.columns for table in made.tables]


@pytest.mark.parametrize("rows", [0, 1, 2, ROWS])
def test_the_answers_have_the_same_bits(rows: int) -> None:
    model = program((DatetimeParts("when", "features", ("year",)),))
    some = {name: cells[:rows] for name, cells in COLUMNS.items()}
    plain = open_session(model)
    expected = plain.run(["prediction", "probabilities"], some)
    made = Session(model, threads=1).run(some, rows)
    assert made["prediction"].tolist() == expected[0].tolist()
    assert made["probabilities"].tobytes() == expected[1].tobytes()


def test_a_session_says_the_columns_of_the_model_as_it_was() -> None:
    assert Session(program(), threads=1).inputs == CONTRACT.names


def test_a_model_that_names_no_tables_is_left_as_it_is() -> None:
    model = onnx.load_model_from_string(program())
    del model.graph.value_info[:]
    assert pack(model.SerializeToString()) is None


@pytest.mark.parametrize("cut", [1, 100])
def test_bytes_that_are_no_message_are_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="cut short|wire type"):
        pack(program()[:-cut] + b"drivetrain.columns")


def test_writer_and_reader_agree_on_the_key() -> None:
    assert packed.COLUMNS_KEY == tables.COLUMNS_KEY
    assert Table("x", ("a",)).columns == ("a",)


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_row_of_cells_is_its_row_in_the_batch(is_packed: bool) -> None:
    model = program((DatetimeParts("when", "features", ("year",)),))
    if not is_packed:
        named = onnx.load_model_from_string(model)
        del named.graph.value_info[:]
        model = named.SerializeToString()
    session = Session(model, threads=1)
    batch = session.run(COLUMNS, ROWS)
    for row in range(ROWS):
        made = session.run_rows([{name: cells[row] for name, cells in COLUMNS.items()}])
        assert made["prediction"].tolist() == batch["prediction"][row : row + 1].tolist()
        assert made["probabilities"].tobytes() == batch["probabilities"][row : row + 1].tobytes()
