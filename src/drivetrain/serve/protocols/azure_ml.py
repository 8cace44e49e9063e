"""Azure ML's scoring route, as its inference server and its MLflow deployments take it.

https://learn.microsoft.com/azure/machine-learning/how-to-deploy-mlflow-models-online-endpoints.
``input_data`` is a frame of ``columns`` and ``data``, or records; ``data`` is rows: objects, or
lists of cells in the order of the Contract's columns. The answer is a bare list. A deployment of
its own container declares liveness as ``/v2/health/live``, readiness as ``/v2/health/ready``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from drivetrain.core.contract import Contract
from drivetrain.runtime.methods import rows_of_answers
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
from drivetrain.serve.service import Question, Rows, Service
from drivetrain.serve.tables import (
    Params,
    Records,
    Split,
    asked_method,
    method_of,
    only,
    rows_of_instances,
    rows_of_records,
    rows_of_split,
    schemas_of,
)


class Asked(msgspec.Struct, frozen=True, gc=False):
    """The body; unknown members are ignored."""

    input_data: Split | Records | UnsetType = UNSET
    data: list[Any] | UnsetType = UNSET
    params: Params | None = None


_decoder = msgspec.json.Decoder(Asked)


class AzureML(Protocol):
    """``POST /score``."""

    title = "Azure ML"

    def __init__(self) -> None:
        self.routes = (Route("POST", "/score", _score, summary="Predict"),)

    def error(self, status: int, line: str) -> bytes:
        return write_json({"message": line})

    def schemas(self) -> Mapping[str, tuple[dict[str, Any], dict[str, Any]]]:
        return {"/score": schemas_of("data", "params", {"type": "array"})}

    def call(
        self, contract: Contract, model: str, rows: Sequence[Mapping[str, Cell]], output: OutputName
    ) -> Call:
        names = contract.names
        split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
        body = {"input_data": split, "params": {"method": method_of(output)}}
        return Call("/score", write_json(body))

    def read(self, body: bytes, output: OutputName) -> list[Any]:
        return only(msgspec.json.decode(body), output)


@Predicts
def _score(request: Request, service: Service) -> Steps:
    served = service.served()
    asked = read_json(_decoder, request.body)
    rows = _rows(asked, served.contract)
    method = asked_method(served, asked.params)
    answer = yield Question(served, rows)
    return Reply(write_json(rows_of_answers(answer.outputs, method)), answer=answer)


def _rows(asked: Asked, contract: Contract) -> Rows:
    if (asked.input_data is UNSET) == (asked.data is UNSET):
        got = "none of them" if asked.data is UNSET else "both"
        raise refused("exactly one of input_data, data", got, code="DT2BC")
    if asked.data is not UNSET:
        return rows_of_instances(asked.data, contract, "data")
    if isinstance(asked.input_data, Split):
        return rows_of_split(asked.input_data.columns, asked.input_data.data, "input_data.data")
    return rows_of_records(asked.input_data, contract)  # type: ignore[arg-type]


protocol = AzureML()
