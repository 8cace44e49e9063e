"""A bundle in memory."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.contract import Contract, Policy, Target
from drivetrain.core.errors import BundleError, ContractError, SettingError
from drivetrain.runtime import session
from drivetrain.runtime.bundle import Bundle, read_bundle
from drivetrain.runtime.model import Model
from drivetrain.runtime.vectors import check_vectors, equal_bits


@pytest.fixture(scope="module")
def read(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path = tmp_path_factory.mktemp("model") / "plan.bundle"
    tiny.write(path)
    return read_bundle(path)


@pytest.fixture(scope="module")
def model(read: Bundle) -> Model:
    return Model(read, threads=2)


def with_contract(read: Bundle, contract: Contract) -> Bundle:
    """Give the same graph under another Contract."""
    manifest = msgspec.structs.replace(read.manifest, contract=contract)
    return Bundle(read.path, manifest, read.model, read.vectors)


def test_labels_and_probabilities_come_in_the_types_of_the_data(model: Model) -> None:
    row = {"age": 39, "income": 0, "member": True, "city": "Bern", "since": "2020-01-02"}
    assert model.predict(row).dtype == object
    assert model.predict(row).tolist()[0] in model.classes.tolist() == ["a", "b", "c"]
    probabilities = model.predict_proba([row, row])
    assert probabilities.shape == (2, 3)
    assert probabilities.dtype == np.float32
    found = model.predict_row(row)
    assert found["prediction"] == model.predict(row)[0]
    assert found["probabilities"] == probabilities[0].tolist()


def test_every_way_of_giving_rows_gives_the_same_answers(model: Model, tiny: ModuleType) -> None:
    rows = list(tiny.ROWS[:3])
    expected = model.predict_proba(rows)
    texts = [{name: cell if cell is None else str(cell) for name, cell in row.items()}
             for row in rows]  # fmt: skip
    frame = pl.DataFrame(texts)
    sources = [texts, frame, frame.to_pandas(), frame.to_arrow(), frame.to_arrow().to_batches()[0]]
    sources += [frame.to_dict(as_series=False), frame.to_dict(), frame.select(frame.columns[::-1])]
    sources += [{name: frame[name].to_numpy() for name in frame.columns}, pd.DataFrame(rows)]
    for source in sources:
        assert equal_bits(model.predict_proba(source), expected), type(source)


cells = st.fixed_dictionaries(
    {
        "age": st.none() | st.floats() | st.integers(-(2**60), 2**60) | st.just("39"),
        "income": st.floats() | st.booleans() | st.none(),
        "member": st.sampled_from([True, False, None, 0, 1, "yes", "No"]),
        "city": st.text(st.characters(codec="utf-8"), max_size=3) | st.none() | st.integers(),
        "since": st.none() | st.datetimes() | st.just("2020-01-02"),
    }
)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(cells, min_size=1, max_size=6))
def test_a_row_alone_is_its_row_in_the_batch(model: Model, rows: list[dict[str, object]]) -> None:
    together = model.predict_proba(rows)
    alone = np.concatenate([model.predict_proba(row) for row in rows])
    assert equal_bits(alone, together)
    batch = model.admit(rows)
    counted: dict[object, int] = {}
    for row in rows:
        admitted = model.admit(row)
        for key, count in admitted.breaches.items():
            counted[key] = counted.get(key, 0) + count
    assert counted == batch.breaches


def test_threads_change_no_bit_and_keep_the_order(read: Bundle, tiny: ModuleType) -> None:
    count = 3 * session.CHUNK_ROWS + 17
    ages = np.linspace(0, 120, count)
    rows = {name: [tiny.ROWS[0][name]] * count for name in ("income", "member", "city", "since")}
    frame = pl.DataFrame({"age": ages, **rows})
    one, two = (Model(read, threads=threads) for threads in (1, 2))
    expected = one.predict_proba(frame)
    assert equal_bits(two.predict_proba(frame), expected)
    assert equal_bits(two.predict(frame), one.predict(frame))
    some = np.arange(0, count, 997)
    assert equal_bits(np.concatenate([one.predict_proba(frame[int(row)]) for row in some]),
                      expected[some])  # fmt: skip


def test_many_threads_share_one_model(model: Model, tiny: ModuleType) -> None:
    rows = list(tiny.ROWS) * 50
    expected = [model.predict_row(row) for row in rows]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(model.predict_row, rows)) == expected


def test_no_rows_give_no_answers(model: Model) -> None:
    for source in ([], pl.DataFrame(schema=dict.fromkeys(model.contract.names, pl.String))):
        assert model.predict(source).shape == (0,)
        assert model.predict_proba(source).shape == (0, 3)


def test_a_refused_row_names_row_column_expected_and_got(model: Model, tiny: ModuleType) -> None:
    bad = [*tiny.ROWS, {**tiny.ROWS[0], "age": "old"}]
    with pytest.raises(ContractError) as refused:
        model.predict(bad)
    assert "column 'age', row 4: expected a number, got 'old'" in str(refused.value)
    assert "old" not in refused.value.private_line()
    with pytest.raises(ContractError, match="column 'age', row 0: expected a number, got 'old'"):
        model.predict(bad[-1])


def test_a_coerced_cell_of_one_row_is_the_same_as_in_a_batch(
    read: Bundle, tiny: ModuleType
) -> None:
    policy = Policy(junk="coerce", unseen="coerce", range="coerce", infinite="coerce")
    columns = tuple(msgspec.structs.replace(c, policy=policy) for c in tiny.CONTRACT.columns)
    lenient = msgspec.structs.replace(tiny.CONTRACT, columns=columns)
    model = Model(with_contract(read, lenient))
    row = {"age": 300, "income": float("inf"), "member": "maybe", "city": "Genf", "since": "x"}
    admitted = model.admit(row)
    assert admitted.columns["age"].tolist() == [120.0]
    assert np.isnan(admitted.columns["income"][0])
    assert np.isnan(admitted.columns["member"][0])
    assert admitted.columns["city"].tolist() == [""]
    assert len(admitted.breaches) == 5
    assert equal_bits(model.predict_proba(row), model.predict_proba([row]))


def test_a_regression_has_no_probabilities(read: Bundle, tiny: ModuleType) -> None:
    target = Target(name="y", task="regression")
    contract = msgspec.structs.replace(tiny.CONTRACT, target=target)
    with pytest.raises(SettingError, match="a regression"):
        Model(with_contract(read, contract)).predict_proba([])


def test_a_graph_that_is_no_graph_or_of_other_columns_is_refused(
    read: Bundle, tiny: ModuleType
) -> None:
    with pytest.raises(BundleError, match="a graph that onnxruntime can load"):
        Model(Bundle(read.path, read.manifest, b"no graph", read.vectors))
    fewer = msgspec.structs.replace(tiny.CONTRACT, columns=tiny.CONTRACT.columns[1:])
    with pytest.raises(BundleError, match="the Contract's columns in"):
        Model(with_contract(read, fewer))


def test_the_vectors_replay_and_a_change_in_them_is_seen(read: Bundle) -> None:
    assert check_vectors(read) == 0.0
    for old, new in ((b'"39"', b'"40"'), (b"39.0", b"40.0"), (b'"b"', b'"c"'), (b"{", b"[")):
        if old in read.vectors:
            changed = read.vectors.replace(old, new, 1)
            with pytest.raises(BundleError, match=r"vectors\.json"):
                check_vectors(Bundle(read.path, read.manifest, read.model, changed))


SCORE_BARE = """
import sys
for name in ("polars", "pandas", "pyarrow", "onnx", "sklearn", "lightgbm", "scipy", "uvicorn"):
    sys.modules[name] = None
from drivetrain.runtime.model import Model
model = Model.load(sys.argv[1])
row = {"age": 39, "income": 1e5, "member": True, "city": "Bern", "since": "2020-01-02"}
print(model.predict(row)[0], model.predict_proba([row, row]).shape)
heavy = {"asyncio", "unittest", "concurrent.futures.process"} & sys.modules.keys()
print(sorted(heavy))
"""


def test_scoring_needs_numpy_onnxruntime_and_msgspec_only(bundle: Path) -> None:
    command = [sys.executable, "-c", SCORE_BARE, str(bundle)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "b (2, 3)\n[]\n"
    assert run.stderr == ""
