"""The OpenAPI document: valid, and true: what it allows is answered, what is answered it allows."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.specs.openapi.checks import positive_data_acceptance

from drivetrain.core.contract import Column, Contract, Policy
from drivetrain.core.errors import ContractError
from drivetrain.runtime.admit import admit
from drivetrain.serve.app import App
from drivetrain.serve.openapi import document
from drivetrain.serve.protocol import PROTOCOLS
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.tabular_model import TabularModel

EXAMPLES = 200 if os.environ.get("DRIVETRAIN_PROVE") else 8


def ready_app() -> App:
    service = Service(max_rows=50)
    service.swap(Served(TabularModel()))
    return App(service, ServeSettings(max_rows=50))


def described() -> dict[str, Any]:
    with AsgiClient(ready_app()) as client:
        reply = client.get("/openapi.json")
    assert reply.status == 200
    found: dict[str, Any] = msgspec.json.decode(reply.body)
    return found


def test_the_document_is_valid_and_has_every_route() -> None:
    found = described()
    validate(found)
    app = ready_app()
    for method, pattern, _ in app.routes.methods():
        assert method.lower() in found["paths"][pattern]
    app.close()
    ids = [item["operationId"] for path in found["paths"].values() for item in path.values()]
    assert len(set(ids)) == len(ids)


def test_before_a_model_is_there_it_is_503() -> None:
    with AsgiClient(App(Service(), ServeSettings())) as client:
        assert client.get("/openapi.json").status == 503


def test_policies_that_reject_stand_in_the_document() -> None:
    strict = Policy(missing="reject", unseen="reject", range="reject")
    model = TabularModel()
    served = Served(model)
    served.contract = Contract(
        columns=(
            Column(name="n", kind="number", policy=strict, low=1.0, high=2.0),
            Column(name="c", kind="category", policy=strict, categories=("a", "b")),
            Column(name="d", kind="category", policy=Policy(unseen="reject"), categories=("a",)),
        ),
        extra_column="reject",
    )
    row = document(served, PROTOCOLS.load_all(), max_rows=5)["components"]["schemas"]["Row"]
    assert row["properties"] == {
        "n": {"type": "number", "minimum": 1.0, "maximum": 2.0},
        "c": {"type": "string", "enum": ["a", "b"]},
        "d": {"type": ["string", "null"], "enum": ["a", None]},
    }
    assert row["additionalProperties"] is False
    assert row["required"] == ["n", "c", "d"]


def test_of_a_private_column_nothing_seen_in_training_is_told() -> None:
    strict = Policy(unseen="reject", range="reject")
    columns = (
        Column(name="n", kind="number", policy=strict, low=41.5, high=42.5, private=True),
        Column(name="c", kind="category", policy=strict, categories=("Zoe",), private=True),
        Column(name="d", kind="category", policy=strict, categories=("Ann",)),
    )
    service = Service()
    served = Served(TabularModel())
    served.contract = Contract(columns=columns)
    service.swap(served)
    app = App(service, ServeSettings())
    with AsgiClient(app) as client:
        for path in ("/openapi.json", "/model.json", "/v2/models/tabular"):
            told = client.get(path).body.decode()
            assert not any(seen in told for seen in ("Zoe", "41.5", "42.5")), path
        assert "Ann" in client.get("/openapi.json").body.decode()
    with pytest.raises(ContractError) as refused:
        admit(served.contract, [{"n": 99.0, "c": "Zoe", "d": "Ann"}])
    assert "42.5" not in refused.value.line()


APP = ready_app()
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP)


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate],
)  # fmt: skip
def test_what_schemathesis_sends_is_answered_as_documented(case: Any) -> None:
    # No schema can say that a tensor's data is as much as its shape, nor what CSV and Arrow hold.
    is_told = case.media_type in (None, "application/json") and not case.path.endswith("/infer")
    try:
        case.call_and_validate(excluded_checks=[] if is_told else [positive_data_acceptance])
    except* AcceptedNegativeData as accepted:
        # Of a cell the document offers less than admit reads: "39" and true for a number, any date.
        # More rows than a request may hold are refused with 413, which the check does not know.
        fine = "/items/properties/", "`maxItems`"
        if not all(any(f in one.message for f in fine) for one in accepted.exceptions):
            raise


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/invocations", "dataframe_records"),
        ("/v1/models/tabular:predict", "instances"),
        ("/score", "data"),
    ],
)
def test_an_allowed_row_is_answered_by_every_table_protocol(path: str, member: str) -> None:
    with AsgiClient(ready_app()) as client:
        row = {column.name: None for column in TabularModel().contract.columns}
        body = msgspec.json.encode({member: [row | {"size": [None, 1.0]}]})
        assert client.post(path, body).status == 200
