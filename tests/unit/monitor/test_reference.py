"""The reference is small, the same for the same rows, sealed, and holds no row."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import FileSeal, canonical_json
from drivetrain.monitor.reference import (
    MOST_BYTES,
    MOST_COLUMN_BYTES,
    REFERENCE_FILE,
    Reference,
    make_reference,
    read_reference,
)
from drivetrain.testing.monitored import monitored_contract, monitored_reference, monitored_rows

TASKS = ("binary", "multiclass", "regression")


def decoded(data: bytes) -> Reference:
    return msgspec.json.decode(data, type=Reference)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_rows_give_the_same_bytes(task) -> None:
    rows = monitored_rows(500, seed=1, task=task)
    contract = monitored_contract(task)
    first = make_reference(contract, rows.columns, rows.outputs, rows.y)
    assert first == make_reference(contract, rows.columns, rows.outputs, rows.y)
    assert canonical_json(decoded(first)) == first


@pytest.mark.parametrize("task", TASKS)
def test_every_column_answer_and_the_target_are_sketched(task) -> None:
    found = monitored_reference(task)
    contract = monitored_contract(task)
    assert tuple(c.name for c in found.columns) == contract.names
    assert all(c.sketch.rows == found.rows for c in (*found.columns, *found.outputs, found.target))
    names = {
        "binary": ["prediction", "probability.yes"],
        "multiclass": ["prediction", "probability.a", "probability.b", "probability.c"],
        "regression": ["prediction"],
    }
    assert [c.name for c in found.outputs] == names[task]


@pytest.mark.parametrize("count", [65, 400])
def test_it_stays_within_its_limits_however_wide_the_table(count: int) -> None:
    random = np.random.default_rng(0)
    names = [f"column {number}" for number in range(count)]
    texts = np.array([f"a rather long category's name {k}" for k in range(60)], dtype=object)
    columns = {
        name: texts[random.integers(0, 60, 300)] if k % 3 == 0 else random.normal(size=300)
        for k, name in enumerate(names)
    }
    contract = Contract(
        columns=tuple(
            Column(name=name, kind="category" if k % 3 == 0 else "number")
            for k, name in enumerate(names)
        ),
        target=Target(name="y", task="regression"),
    )
    y = columns["column 1"] + random.normal(size=300)
    data = make_reference(contract, columns, {"prediction": columns["column 1"]}, y)
    found = decoded(data)
    assert len(data) <= MOST_BYTES
    assert max(len(canonical_json(c)) for c in found.columns) <= MOST_COLUMN_BYTES
    assert len(found.columns) + len(found.left_out) == count
    assert "column 1" in {c.name for c in found.columns}  # what matters most is kept


def test_what_the_answers_depend_on_weighs_most() -> None:
    found = monitored_reference()
    weights = {c.name: c.weight() for c in found.columns}
    assert max(weights, key=weights.__getitem__) == "age"
    assert weights["member"] < 0.1 < weights["city"] < weights["age"]


def test_awkward_columns_are_sketched() -> None:
    contract = Contract(
        columns=(
            Column(name="empty", kind="number"),
            Column(name="wild", kind="number"),
            Column(name="blank", kind="category"),
        ),
        target=Target(name="y", task="binary", classes=("0", "1"), label_type="int"),
    )
    columns = {
        "empty": np.full(6, np.nan),
        "wild": np.array([np.inf, -np.inf, 1e308, -1e308, 0.0, np.nan]),
        "blank": np.array([""] * 6, dtype=object),
    }
    p = np.array([0.0, 1.0, 0.5, 0.5, 0.2, 0.9])
    outputs = {"prediction": (p > 0.5).astype(np.int64), "probabilities": np.stack([1 - p, p], 1)}
    found = decoded(make_reference(contract, columns, outputs, np.array([0, 1, 0, 1, 0, 1.0])))
    assert found.subject("empty").sketch.missing == 6
    assert found.subject("wild").sketch.present == 5


class FakeManifest:
    def __init__(self, data: bytes | None) -> None:
        seal = None if data is None else FileSeal(
            sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data)
        )  # fmt: skip
        self.files = {} if seal is None else {REFERENCE_FILE: seal}


def test_a_reference_that_is_absent_changed_or_too_new_is_refused(tmp_path: Path) -> None:
    data = canonical_json(monitored_reference())
    file = tmp_path / REFERENCE_FILE
    file.write_bytes(data)
    assert read_reference(tmp_path, FakeManifest(data)).rows == 4000
    with pytest.raises(BundleError, match="Train the bundle anew"):
        read_reference(tmp_path, FakeManifest(None))
    with pytest.raises(BundleError, match="other bytes"):
        read_reference(tmp_path, FakeManifest(data + b" "))
    newer = data.replace(b'"protocol":1', b'"protocol":2')
    file.write_bytes(newer)
    with pytest.raises(BundleError, match="protocol 2"):
        read_reference(tmp_path, FakeManifest(newer))
