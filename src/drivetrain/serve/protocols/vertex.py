"""Vertex AI's custom containers.

https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements. The platform
names the routes in ``AIP_PREDICT_ROUTE`` and ``AIP_HEALTH_ROUTE``; without them they are those that
the platform itself would choose. ``instances`` are objects, or lists of cells in the order of the
Contract's columns. ``drivetrain.serve.platforms`` takes port and bundle from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from drivetrain.core.contract import Contract
from drivetrain.runtime.methods import rows_of_answers
from drivetrain.serve.payload import read_json, write_json
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
    Params,
    asked_method,
    method_of,
    only,
    rows_of_instances,
    schemas_of,
)

_DEPLOYED = "/v1/endpoints/{endpoint}/deployedModels/{deployed}"


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The body; unknown members are ignored."""

    instances: list[Any]
    parameters: Params | None = None


_decoder = msgspec.json.Decoder(Asked)


class Vertex(Protocol):
    """The two routes that the environment names."""

    title = "Vertex AI"

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._predict_route = environment.get("AIP_PREDICT_ROUTE") or _DEPLOYED + ":predict"
        health = environment.get("AIP_HEALTH_ROUTE") or _DEPLOYED
        self.routes = (
            Route("GET", health, _health, summary="Whether the model answers", is_open=True),
            Route("POST", self._predict_route, _predict, summary="Predict"),
        )

    def error(self, status: int, line: str) -> bytes:
        return write_json({"error": line})

    def schemas(self) -> Mapping[str, tuple[dict[str, Any], dict[str, Any]]]:
        return {self._predict_route: schemas_of("instances", "parameters", PREDICTIONS_SCHEMA)}

    def call(
        self, contract: Contract, model: str, rows: Sequence[Mapping[str, Cell]], output: OutputName
    ) -> Call:
        instances = [{name: row[name] for name in contract.names} for row in rows]
        body = {"instances": instances, "parameters": {"method": method_of(output)}}
        path = self._predict_route.replace("{endpoint}", "1").replace("{deployed}", "2")
        return Call(path, write_json(body))

    def read(self, body: bytes, output: OutputName) -> list[Any]:
        return only(msgspec.json.decode(body)["predictions"], output)


def _health(request: Request, service: Service) -> Reply:
    service.require_ready()
    return Reply(b"{}")


@Predicts
def _predict(request: Request, service: Service) -> Steps:
    served = service.served()
    asked = read_json(_decoder, request.body)
    rows = rows_of_instances(asked.instances, served.contract, "instances")
    method = asked_method(served, asked.parameters)
    answer = yield Question(served, rows)
    return Reply(
        write_json({"predictions": rows_of_answers(answer.outputs, method)}), answer=answer
    )


protocol = Vertex()
