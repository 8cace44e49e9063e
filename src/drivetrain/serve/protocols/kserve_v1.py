"""KServe's first protocol with its explanations, and TensorFlow Serving's rows and columns.

https://kserve.github.io/website/latest/modelserving/data_plane/v1_protocol. ``instances`` are
objects, or lists of cells in the order of the Contract's columns; ``inputs`` are columns, answered
as ``outputs``. Probabilities come with ``"parameters": {"method": "predict_proba"}``.
``:explain`` answers each of a few ``instances`` with its prediction and its Shapley values, of the
class that ``"parameters": {"label": ...}`` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from drivetrain.core.contract import Contract
from drivetrain.runtime.methods import rows_of_answers
from drivetrain.serve.explanation import MOST_ROWS, check_rows, explain_rows
from drivetrain.serve.payload import read_json, refused, write_json
from drivetrain.serve.protocol import (
    Call,
    Cell,
    OutputName,
    Predicts,
    Protocol,
    Reply,
    Request,
    Route,
    Steps,
)
from drivetrain.serve.service import Question, Service
from drivetrain.serve.tables import (
    PREDICTIONS_SCHEMA,
    Columns,
    Params,
    asked_method,
    method_of,
    only,
    rows_of_columns,
    rows_of_instances,
    schemas_of,
)

_WHY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "instances": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Row"},
            "maxItems": MOST_ROWS,
        },
        "parameters": {"$ref": "#/components/schemas/Label"},
    },
    "required": ["instances"],
}
_EXPLANATIONS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"explanations": {"type": "array", "items": {"type": "object"}}},
    "required": ["explanations"],
}


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The body; unknown members are ignored."""

    instances: list[Any] | UnsetType = UNSET
    inputs: Columns | UnsetType = UNSET
    parameters: Params | None = None


class Label(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What can be asked for beside the rows to explain."""

    label: str | None = None


class AskedWhy(msgspec.Struct, frozen=True, gc=False):
    """The body of ``:explain``; unknown members are ignored."""

    instances: list[Any]
    parameters: Label | None = None


_decoder = msgspec.json.Decoder(Asked)
_why_decoder = msgspec.json.Decoder(AskedWhy)


class KServeV1(Protocol):
    """``POST /v1/models/{model}:predict`` and two questions about models."""

    title = "KServe V1"

    def __init__(self) -> None:
        self.routes = (
            Route("GET", "/v1/models", _models, summary="Names of the models"),
            Route("GET", "/v1/models/{model}", _ready, summary="Whether the model answers"),
            Route("POST", "/v1/models/{model}:predict", _predict, summary="Predict"),
            Route("POST", "/v1/models/{model}:explain", _explain, summary="Explain", is_slow=True),
        )

    def error(self, status: int, line: str) -> bytes:
        return write_json({"error": line})

    def schemas(self) -> Mapping[str, tuple[dict[str, Any], dict[str, Any]]]:
        return {
            "/v1/models/{model}:predict": schemas_of("instances", "parameters", PREDICTIONS_SCHEMA),
            "/v1/models/{model}:explain": (_WHY_SCHEMA, _EXPLANATIONS_SCHEMA),
        }

    def call(
        self, contract: Contract, model: str, rows: Sequence[Mapping[str, Cell]], output: OutputName
    ) -> Call:
        instances = [{name: row[name] for name in contract.names} for row in rows]
        body = {"instances": instances, "parameters": {"method": method_of(output)}}
        return Call(f"/v1/models/{model}:predict", write_json(body))

    def read(self, body: bytes, output: OutputName) -> list[Any]:
        return only(msgspec.json.decode(body)["predictions"], output)


def _models(request: Request, service: Service) -> Reply:
    return Reply(write_json({"models": [service.served().name]}))


def _ready(request: Request, service: Service) -> Reply:
    served = service.served(request.names["model"])
    body = write_json({"name": served.name, "ready": service.is_ready})
    return Reply(body, status=200 if service.is_ready else 503)


@Predicts
def _predict(request: Request, service: Service) -> Steps:
    served = service.served(request.names["model"])
    asked = read_json(_decoder, request.body)
    if (asked.instances is UNSET) == (asked.inputs is UNSET):
        got = "none of them" if asked.inputs is UNSET else "both"
        raise refused("exactly one of instances, inputs", got, code="DT2BD")
    if asked.inputs is not UNSET:
        member, rows = "outputs", rows_of_columns(asked.inputs)
    elif asked.instances is not UNSET:
        member = "predictions"
        rows = rows_of_instances(asked.instances, served.contract, "instances")
    method = asked_method(served, asked.parameters)
    answer = yield Question(served, rows)
    return Reply(write_json({member: rows_of_answers(answer.outputs, method)}), answer=answer)


def _explain(request: Request, service: Service) -> Reply:
    served = service.served(request.names["model"])
    asked = read_json(_why_decoder, request.body)
    check_rows(len(asked.instances))
    rows = rows_of_instances(asked.instances, served.contract, "instances")
    if served.split is not None:
        served = served.split.by_rows(rows)
    label = None if asked.parameters is None else asked.parameters.label
    answer = service.predict(served, rows)
    columns = served.model.admit(rows).columns
    explanations = explain_rows(served, columns, answer, label=label)
    return Reply(write_json({"explanations": explanations}), answer=answer)


protocol = KServeV1()
