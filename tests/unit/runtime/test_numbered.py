"""A batch that hands over numbers of its texts is answered the same bits."""

from __future__ import annotations

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest

from drivetrain.core.contract import Column, Contract, Policy, Target
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.join import Join
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.program import Member, Program, lower
from drivetrain.runtime import session as session_module
from drivetrain.runtime.admit import admit
from drivetrain.runtime.numbered import number
from drivetrain.runtime.packed import pack
from drivetrain.runtime.session import Session

CONTRACT = Contract(
    columns=(
        Column(name="age", kind="number"),
        Column(name="job", kind="category"),
        Column(name="town", kind="category"),
    ),
    target=Target(name="y", task="binary", classes=("no", "yes"), label_type="string"),
)
ROWS = 5_000  # enough for Polars to tell different texts
random = np.random.default_rng(0)
FRAME = pl.DataFrame(
    {
        "age": random.normal(size=ROWS),
        "job": random.choice(["clerk", "smith", "", "größe", "unseen"], ROWS),
        "town": random.choice(["Bern", "Genf", "4.0", " 4 "], ROWS),
    }
).with_columns(pl.when(pl.int_range(ROWS) % 5 > 0).then("town"))


def model(*more: tuple[Block, ...]) -> bytes:
    jobs, towns = ("clerk", "smith", "größe"), ("Bern", "4", "")
    table = random.normal(size=(3, 2)).astype(np.float32)
    encoders: tuple[tuple[Block, ...], ...] = (
        (Number("age", "features"),),
        (Lookup("job", "features", jobs, table, table[0]),),
        (Lookup("town", "features", towns, table, table[1]),),
        *more,
    )
    fold = Linear(random.normal(size=(5 + len(more), 1)), np.zeros(1))
    return lower(Program(CONTRACT, (Member("m", encoders, ((fold,),), "sigmoid"),)))


@pytest.mark.parametrize("threads", [1, 2])
def test_numbers_of_texts_answer_as_the_texts_do(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, found = Session(model(), threads=threads), admit(CONTRACT, FRAME)
    expected = session.run(found.columns, ROWS)
    monkeypatch.setattr(session_module, "MANY_ROWS", 1_000)
    fed: list[str] = []
    call = session_module._Form.call
    monkeypatch.setattr(
        session_module._Form,
        "call",
        lambda form, *part: fed.extend(form.taken.values()) or call(form, *part),
    )
    answers = session.run(found.columns, ROWS, found.coded)
    assert object not in fed, "no text is handed over"
    for name, values in expected.items():
        assert answers[name].tolist() == values.tolist()


def test_a_column_whose_texts_are_not_known_once_each_is_handed_over_as_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "MANY_ROWS", 1_000)
    session, found = Session(model(), threads=1), admit(CONTRACT, FRAME)
    expected = session.run(found.columns, ROWS)["probabilities"]
    part = {"job": found.coded["job"]}
    assert np.array_equal(session.run(found.columns, ROWS, part)["probabilities"], expected)


def test_texts_that_more_than_one_node_reads_are_not_numbered() -> None:
    one = np.ones((1, 1), np.float32)
    pair = (Join(("job", "town"), "both"), Lookup("both", "features", ("a",), one, one[0]))
    packed, joined = pack(model()), pack(model(pair))
    assert packed is not None and joined is not None
    numbered = number(packed)
    assert numbered is not None
    onnx.checker.check_model(onnx.load_model_from_string(numbered.model))
    assert [table.columns for table in numbered.encoders] == [("job", "town")]
    assert number(joined) is None


def test_a_stand_in_for_unseen_texts_is_not_among_the_coded() -> None:
    policy = Policy(unseen="coerce")
    job = Column(name="job", kind="category", categories=("clerk",), policy=policy)
    assert "job" not in admit(Contract(columns=(job,)), FRAME.select("job")).coded


@pytest.mark.parametrize("dtype", ["str", "string", "object", "category"])
def test_texts_that_repeat_are_known_once_each_from_pandas_too(dtype: str) -> None:
    cells = pd.Series(["a", "b", None, " 4.0"] * 20, dtype=dtype)
    found = admit(Contract(columns=(Column(name="job", kind="category"),)), {"job": cells})
    assert found.columns["job"].tolist() == ["a", "b", "", "4"] * 20
    coded = found.coded["job"]
    assert coded.texts[coded.codes].tolist() == found.columns["job"].tolist()


def test_cells_that_are_equal_and_yet_not_the_same_are_read_one_by_one() -> None:
    cells = [1, True, "1", 1.0, "true", 1] * 3
    found = admit(Contract(columns=(Column(name="job", kind="category"),)), {"job": cells})
    assert found.columns["job"].tolist() == ["1", "true", "1", "1", "true", "1"] * 3
    assert not found.coded
