"""No cell is changed silently: what is answered is what the Contract's policies admit.

Rows of odd cells go through a server to a model that keeps what it was given. A second reading of
the Contract's tables says what that has to be, what has to be counted, and what has to be refused.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.unit.serve.second_reading import ABSENT, Outcome, outcome

from drivetrain.core.arrays import Array, Columns
from drivetrain.core.contract import Column, Contract, Policy
from drivetrain.runtime.admit import Admission, AdmittedRow
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.kinds.number import NumberReader
from drivetrain.runtime.kinds.reader import FINE, JUNK, RANGE, Reader
from drivetrain.runtime.model import Model
from drivetrain.runtime.vectors import equal_bits
from drivetrain.serve.app import App
from drivetrain.serve.protocol import PROTOCOLS
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.tabular_bundle import write_tabular_bundle
from drivetrain.testing.tabular_model import TabularModel

EXAMPLES = 10_000 if os.environ.get("DRIVETRAIN_PROVE") == "1" else 200
EXAMPLES = int(os.environ.get("DRIVETRAIN_MUTATED_REQUESTS", EXAMPLES))
ACTIONS = ("reject", "coerce", "coerce", "count", "count", "count")
NOON = 1_589_716_800_000_000  # 2020-05-17T12:00:00Z

texts = st.sampled_from(
    ["", " ", "NA", "-1", "-1.0", "2.50", "+5", "5", " 7 ", "1e3", "007", "1,5", "1_0", "inf",
     "-Infinity", "nan", "1e400", "yes", "No", "TRUE", "tRue", "on", "0x10", "12 apples", "½", "４",
     "level 3", " level 3", "Level 3", "naïve 💡", "köchin 寿", "9007199254740993", "-0", "-0.0",
     "2020-05-17", "2020-05-17 12:00", "2020-05-17T12:00:00+02:00", "17.05.2020", "1589716800",
     "2020-13-01", "0001-01-01T00:00:00+14:00", "[1, 2]", "[1]", "[1, null]", "{}", "null"]
)  # fmt: skip
numbers = st.sampled_from(
    [0, 1, -1, 2, 5, -0.0, 2.5, 1e3, 4.999999999999999, 5.000000000000001, 1e22, 1.5e300, 5e-324,
     2**53, 2**53 + 1, -(2**53) - 1, 2**63, 10**400, NOON, NOON // 10**6]
)  # fmt: skip
lists = st.sampled_from([[], [1.5, 2], [1, None], [True, 0], [1, 2, 3], [1, "2"], [10**400, 1]])
others = st.sampled_from([None, True, False, ABSENT, {}, {"a": 1}])
odd = st.one_of(texts, numbers, lists, others)
plain: Mapping[str, st.SearchStrategy[Any]] = {
    "number": st.floats(-4.5, 4.5),
    "boolean": st.booleans(),
    "category": st.sampled_from(["level 1", "level 3", "clerk", "9007199254740993"]),
    "text": st.text(max_size=6),
    "datetime": st.sampled_from(["2020-05-17T12:00:00Z", "2019-01-01"]),
    "vector": st.lists(st.floats(-9, 9), min_size=2, max_size=2),
}


def policies(contract: Contract) -> list[Contract]:
    """Make Contracts of these columns that differ in what they do about breaches."""
    drawn = random.Random(7)
    return [_policed(contract, drawn) for _ in range(12)]


def _policed(contract: Contract, drawn: random.Random) -> Contract:
    columns = []
    for column in contract.columns:
        breaches = ("junk", "missing", "unseen", "range", "infinite")
        policy = Policy(**{breach: drawn.choice(ACTIONS) for breach in breaches})
        more: dict[str, Any] = {"policy": policy}
        if column.kind == "number":
            more |= {"low": -5.0, "high": 5.0, "missing_values": ("NA", "-1", "2.50")}
        elif column.kind == "datetime":
            more |= {"low": float(NOON - 10**14), "high": float(NOON + 10**14)}
            more["formats"] = drawn.choice([(), ("%d.%m.%Y",), ("epoch_s",)])
        columns.append(msgspec.structs.replace(column, **more))
    return msgspec.structs.replace(
        contract,
        columns=tuple(columns),
        missing_column=drawn.choice(ACTIONS),
        extra_column=drawn.choice(ACTIONS),
    )


class Arithmetic(TabularModel):
    """Answers with a double that every cell changes; keeps what it was given."""

    def __init__(self, contract: Contract) -> None:
        super().__init__("regression")
        self.contract = contract
        self.manifest = msgspec.structs.replace(self.manifest, contract=contract)
        self._admission = Admission(contract)
        self.given: Columns = {}

    def run(self, columns: Columns) -> dict[str, Array]:
        self.given = columns
        return super().run(columns)


class Graph(Model):
    """Runs a bundle's graph, also by the shorter way of single rows; keeps what it was given."""

    given: Columns

    def with_contract(self, contract: Contract) -> Graph:
        self.contract = contract
        self._admission = Admission(contract)
        return self

    def run(self, columns: Columns) -> dict[str, Array]:
        self.given = columns
        return super().run(columns)

    def run_rows(self, rows: Sequence[AdmittedRow]) -> dict[str, Array]:
        (row,) = rows
        self.given = {}
        for column in self.contract.columns:
            dtype = {"number": float, "boolean": float, "datetime": np.int64}.get(column.kind)
            self.given[column.name] = np.empty(1, dtype or object)
            self.given[column.name][0] = row.cells[column.name]
        return super().run_rows(rows)


def arithmetic(folder: Path) -> list[Any]:
    columns = TabularModel("regression").contract
    return [Arithmetic(contract) for contract in policies(columns)]


def graph(folder: Path) -> list[Any]:
    write_tabular_bundle(folder / "graph.bundle")
    bundle = read_bundle(folder / "graph.bundle")
    contracts = policies(bundle.manifest.contract)
    return [Graph(bundle, threads=1).with_contract(contract) for contract in contracts]


def rows_of(columns: Sequence[Column]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw one row, or a few: most cells plain, so that there is something to answer."""
    cells = {column.name: plain[column.kind] for column in columns}
    more = {column.name: odd for column in columns} | {"unknown": odd}
    row = st.builds(
        lambda fine, changed: {
            name: cell for name, cell in (fine | changed).items() if cell is not ABSENT
        },
        st.fixed_dictionaries(cells),
        st.lists(st.sampled_from(sorted(more)), max_size=3, unique=True).flatmap(
            lambda names: st.fixed_dictionaries({name: more[name] for name in names})
        ),
    )
    return st.one_of(row.map(lambda one: [one]), st.lists(row, min_size=2, max_size=3))


class Law(ExitStack):
    """Servers of one kind of model under many policies, and what holds of every request."""

    def __init__(self, models: Sequence[Any]) -> None:
        super().__init__()
        self.models = models
        self.clients = [self.enter_context(_client(model)) for model in models]
        self.seen: Counter[str] = Counter()

    def holds(self, which: int, rows: list[dict[str, Any]]) -> None:
        model, client = self.models[which], self.clients[which]
        said = outcome(model.contract, rows)
        client.app.service.breaches.clear()
        model.given = {}
        body = json.dumps({"dataframe_records": rows}, ensure_ascii=False).encode()
        reply = client.post("/invocations", body)
        if said.columns is None:
            self._is_refused(said, model, client, reply.status, reply.body)
            return
        assert reply.status == 200, reply.body
        for name, expected in said.columns.items():
            assert model.given[name].dtype == expected.dtype
            assert equal_bits(model.given[name], expected), (name, model.given[name], expected)
        assert client.app.service.breaches == said.breaches
        answered = msgspec.json.decode(reply.body)["predictions"]
        assert answered == json.loads(json.dumps(_finite(model.run(said.columns)["prediction"])))
        self.seen["counted" if said.breaches else "plain"] += 1

    def _is_refused(
        self, said: Outcome, model: Any, client: AsgiClient, status: int, body: bytes
    ) -> None:
        assert status == 400, body
        message = msgspec.json.decode(body)["message"]
        places = [f"column '{name}'" for name, _ in said.refused]
        assert any(message.startswith(place) for place in places), (message, said.refused)
        assert not model.given and not client.app.service.breaches
        self.seen["refused"] += 1


def _client(model: Any) -> AsgiClient:
    service = Service()
    service.swap(Served(model))
    protocols = {"mlflow": PROTOCOLS.load("mlflow")}
    return AsgiClient(App(service, ServeSettings(), protocols=protocols))


def _finite(values: Array) -> list[Any]:
    """Return answers as JSON has them: null for what is no number."""
    return [None if isinstance(v, float) and not np.isfinite(v) else v for v in values.tolist()]


def check(law: Law, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(which=st.integers(0, len(law.models) - 1), rows=rows_of(law.models[0].contract.columns))
    def every(which: int, rows: list[dict[str, Any]]) -> None:
        law.holds(which, rows)

    every()


@pytest.mark.parametrize("models", [arithmetic, graph])
def test_what_is_answered_is_what_the_policies_admit(models: Any, tmp_path: Path) -> None:
    with Law(models(tmp_path)) as law:
        check(law, EXAMPLES)
    print(f"{models.__name__}: {law.seen.total()} requests, {dict(law.seen)}")
    assert law.seen.total() >= EXAMPLES
    assert min(law.seen["plain"], law.seen["counted"], law.seen["refused"]) > EXAMPLES / 100


def first_number(self: Any, text: str, _sound: Any = NumberReader.read_text) -> Any:
    """Take 12 out of '12 apples'."""
    value, breach = _sound(self, text)
    return (float(text.split()[0]), FINE) if breach == JUNK and " apples" in text else (value, FINE)


def clamped(self: Any, text: str, _sound: Any = NumberReader.read_text) -> Any:
    """Put the nearer bound in the place of a number, and say nothing."""
    value, breach = _sound(self, text)
    return (self.stand_in(value, breach), FINE) if breach == RANGE else (value, breach)


def unmentioned(self: Any, text: str, _sound: Any = NumberReader.read_text) -> Any:
    """Let what is out of range pass as it is, uncounted."""
    value, breach = _sound(self, text)
    return value, FINE if breach == RANGE else breach


def another_stand_in(self: Any, values: Any, breach: int, rows: Any) -> None:
    """Put 0 in the place of whatever a policy coerces."""
    for row in rows:
        values[row] = 0


FAULTS = (
    (NumberReader, "read_text", first_number),
    (NumberReader, "read_text", clamped),
    (NumberReader, "read_text", unmentioned),
    (Reader, "coerce", another_stand_in),
)


@pytest.mark.parametrize(("owner", "name", "fault"), FAULTS)
def test_a_seeded_coercion_is_found(
    owner: Any, name: str, fault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, fault)
    with Law(graph(tmp_path)) as law, pytest.raises((AssertionError, ExceptionGroup)):
        check(law, 5_000)  # it ends with the first that shows it
