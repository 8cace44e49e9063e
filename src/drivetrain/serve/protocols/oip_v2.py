"""Open Inference Protocol v2 over REST, in JSON and with Triton's binary tensors.

https://github.com/kserve/open-inference-protocol, ``specification/protocol/inference_rest.md``.
Where it leaves a choice: not ready is 503 (as KServe, and as load balancers expect), ``GET /v2``
and ``/v2/`` are both answered, ``null`` in data is a missing value, unknown members are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from drivetrain.core.arrays import Array
from drivetrain.core.contract import Contract
from drivetrain.core.errors import Value
from drivetrain.serve.payload import read_json, refused, write_json
from drivetrain.serve.protocol import (
    JSON,
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
from drivetrain.serve.raw_tensors import fill, only_tensor, raw_of, split_body
from drivetrain.serve.service import Question, Served, Service
from drivetrain.serve.tensors import (
    Tensor,
    datatype_of,
    input_face,
    output_face,
    output_tensor,
    rows_of,
)

_MODEL = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
_BINARY = "application/octet-stream"
_HEAD_LENGTH = b"inference-header-content-length"


class RequestedOutput(msgspec.Struct, frozen=True, gc=False):
    """An output that the client asks for by name."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct, frozen=True, gc=False):
    """The body of an ``infer`` request; unknown members are ignored."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(InferRequest)


class OpenInference(Protocol):
    """One tensor per column of the Contract; outputs ``prediction`` and ``probabilities``."""

    title = "Open Inference Protocol v2"

    def __init__(self) -> None:
        self.routes = (
            Route("GET", "/v2", _server, summary="What this server is"),
            Route("GET", "/v2/", _server, summary="What this server is"),
            Route("GET", "/v2/health/live", _live, summary="Whether the server runs", is_open=True),
            Route("GET", "/v2/health/ready", _ready, summary="Whether it is ready", is_open=True),
            Route("GET", _MODEL, _metadata, summary="Inputs and outputs of the model"),
            Route("GET", _VERSION, _metadata, summary="Inputs and outputs of the model"),
            Route("GET", _MODEL + "/ready", _model_ready, summary="Whether the model answers"),
            Route("GET", _VERSION + "/ready", _model_ready, summary="Whether the model answers"),
            Route(
                "POST",
                _MODEL + "/infer",
                _infer,
                (JSON, _BINARY),
                summary="Predict",
                answers=(JSON, _BINARY),
            ),
            Route(
                "POST",
                _VERSION + "/infer",
                _infer,
                (JSON, _BINARY),
                summary="Predict",
                answers=(JSON, _BINARY),
            ),
        )

    def error(self, status: int, line: str) -> bytes:
        return write_json({"error": line})

    def schemas(self) -> Mapping[str, tuple[dict[str, Any], dict[str, Any]]]:
        bodies = (_holding("inputs"), _holding("outputs"))
        return {_MODEL + "/infer": bodies, _VERSION + "/infer": bodies}

    def call(
        self, contract: Contract, model: str, rows: Sequence[Mapping[str, Cell]], output: OutputName
    ) -> Call:
        inputs = []
        for column in contract.columns:
            face = input_face(column)
            data = [row[column.name] for row in rows]
            shape = [len(rows), *face.shape[1:]]
            inputs.append(
                {"name": face.name, "shape": shape, "datatype": face.datatype, "data": data}
            )
        body = write_json({"inputs": inputs, "outputs": [{"name": output}]})
        return Call(f"/v2/models/{model}/infer", body)

    def read(self, body: bytes, output: OutputName) -> list[Any]:
        (tensor,) = msgspec.json.decode(body)["outputs"]
        shape, data = tensor["shape"], tensor["data"]
        if len(shape) == 1:
            return list(data)
        width = shape[1]
        return [data[row * width : (row + 1) * width] for row in range(shape[0])]


def _holding(member: str) -> dict[str, Any]:
    """Describe a body of tensors; that data is as much as the shape says, no schema can tell."""
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype"],
    }
    properties = {member: {"type": "array", "items": tensor}, "id": {"type": "string"}}
    return {"type": "object", "properties": properties, "required": [member]}


def _server(request: Request, service: Service) -> Reply:
    known = {
        "name": "drivetrain",
        "version": version("drivetrain"),
        "extensions": ["binary_tensor_data"],
    }
    return Reply(write_json(known))


def _live(request: Request, service: Service) -> Reply:
    return Reply(b'{"live":true}')


def _ready(request: Request, service: Service) -> Reply:
    if service.is_ready:
        return Reply(b'{"ready":true}')
    return Reply(b'{"ready":false}', status=503)


def _asked(request: Request, service: Service) -> Served:
    return service.served(request.names["model"], request.names.get("version"))


def _model_ready(request: Request, service: Service) -> Reply:
    served = _asked(request, service)
    body = write_json({"name": served.name, "ready": service.is_ready})
    return Reply(body, status=200 if service.is_ready else 503)


def _metadata(request: Request, service: Service) -> Reply:
    served = _asked(request, service)
    manifest = served.model.manifest
    described = {
        "name": served.name,
        "versions": [served.version],
        "platform": "onnxruntime_onnx",
        "inputs": [input_face(column) for column in served.contract.columns],
        "outputs": [output_face(output) for output in manifest.outputs],
        "properties": {
            "task": manifest.task,
            "classes": write_json(served.classes).decode(),
            "content_hash": manifest.content_hash,
        },
    }
    return Reply(write_json(described))


@Predicts
def _infer(request: Request, service: Service) -> Steps:
    served = _asked(request, service)
    header = request.header(_HEAD_LENGTH)
    head, rest = (request.body, None) if header is None else split_body(request.body, header)
    if rest is not None and not head:
        asked = InferRequest([only_tensor(served.contract, request.body)])
        asked = msgspec.structs.replace(asked, parameters={"binary_data_output": True})
    else:
        asked = read_json(_decoder, head)
        if rest is not None:
            asked = msgspec.structs.replace(asked, inputs=fill(asked.inputs, rest))
    names = _outputs(asked, served)
    answer = yield Question(served, rows_of(asked.inputs, served.contract))
    reply: dict[str, Any] = {"model_name": served.name, "model_version": answer.version}
    if asked.id is not None:
        reply["id"] = asked.id
    reply["parameters"] = {"prediction_id": answer.prediction_id}
    binary = _binary_outputs(asked, names)
    tails = {name: raw_of(answer.outputs[name]) for name in names if name in binary}
    reply["outputs"] = [_output(name, answer.outputs[name], tails.get(name)) for name in names]
    body = write_json(reply)
    if not tails:
        return Reply(body, answer=answer)
    headers = ((_HEAD_LENGTH, b"%d" % len(body)),)
    return Reply(b"".join([body, *tails.values()]), 200, _BINARY, answer, headers)


def _output(name: str, values: Array, tail: bytes | None) -> dict[str, Any]:
    if tail is None:
        return output_tensor(name, values)
    head = {"name": name, "datatype": datatype_of(values), "shape": values.shape}
    return head | {"parameters": {"binary_data_size": len(tail)}}


def _binary_outputs(asked: InferRequest, names: Sequence[str]) -> set[str]:
    every = (asked.parameters or {}).get("binary_data_output") is True
    if not asked.outputs:
        return set(names) if every else set()
    return {
        output.name
        for output in asked.outputs
        if (output.parameters or {}).get("binary_data", every) is True
    }


def _outputs(asked: InferRequest, served: Served) -> Sequence[str]:
    if not asked.outputs:
        return served.output_names
    names = [output.name for output in asked.outputs]
    for index, name in enumerate(names):
        if name not in served.output_names or name in names[:index]:
            raise refused(
                f"each of {', '.join(served.output_names)} at most once",
                Value(name).described(),
                where=f"outputs[{index}]",
                remedy="Ask for these outputs.",
                code="DT2BB",
            )
    return names


protocol = OpenInference()
