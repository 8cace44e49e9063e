"""MLflow's scoring protocol: ``/invocations`` as ``mlflow models serve`` takes it.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally. A body holds exactly one of
``dataframe_records``, ``dataframe_split``, ``instances`` (rows) and ``inputs`` (columns), or is
CSV with a header, or, beyond MLflow, a batch in Arrow IPC or Parquet. The answer is
``{"predictions": [...]}``: labels or values, or, with ``"params": {"method": "predict_proba"}``,
one list of probabilities for each row in the order of the bundle's classes.
``Accept: application/vnd.apache.arrow.stream`` asks for all outputs in Arrow.

SageMaker's containers answer the same ``/ping`` and ``/invocations``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from drivetrain.core.contract import Contract
from drivetrain.runtime.methods import rows_of_answers
from drivetrain.serve.arrow_body import ARROW, PARQUET, read_table, write_answer
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
from drivetrain.serve.service import Question, Rows, Service
from drivetrain.serve.tables import (
    PREDICTIONS_SCHEMA,
    Columns,
    Params,
    Records,
    Split,
    asked_method,
    method_of,
    only,
    rows_of_columns,
    rows_of_csv,
    rows_of_records,
    rows_of_split,
    schemas_of,
)

CSV = "text/csv"
_TEXT = "text/plain; charset=utf-8"
_LINE = Reply(b"\n", media=_TEXT)
_ERROR_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    413: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Invocation(msgspec.Struct, frozen=True, gc=False):
    """The JSON body; unknown members are ignored."""

    dataframe_records: Records | UnsetType = UNSET
    dataframe_split: Split | UnsetType = UNSET
    instances: Records | UnsetType = UNSET
    inputs: Records | Columns | UnsetType = UNSET
    params: Params | None = None


_decoder = msgspec.json.Decoder(Invocation)
_FORMS = ("dataframe_records", "dataframe_split", "instances", "inputs")


class MLflow(Protocol):
    """``POST /invocations`` and the three questions about health."""

    title = "MLflow scoring protocol"

    def __init__(self) -> None:
        self.routes = (
            Route(
                "POST", "/invocations", _invocations, (JSON, CSV, ARROW, PARQUET), summary="Predict"
            ),
            *(
                Route(
                    "GET",
                    path,
                    _ping,
                    summary="Whether the model answers",
                    is_open=True,
                    answers=(_TEXT,),
                )
                for path in ("/ping", "/health")
            ),
            Route(
                "GET",
                "/version",
                _version,
                summary="Version of the server",
                answers=(_TEXT,),
            ),
        )

    def error(self, status: int, line: str) -> bytes:
        return write_json({"error_code": _ERROR_CODES.get(status, "BAD_REQUEST"), "message": line})

    def schemas(self) -> Mapping[str, tuple[dict[str, Any], dict[str, Any]]]:
        return {"/invocations": schemas_of("dataframe_records", "params", PREDICTIONS_SCHEMA)}

    def call(
        self, contract: Contract, model: str, rows: Sequence[Mapping[str, Cell]], output: OutputName
    ) -> Call:
        names = contract.names
        split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
        body = {"dataframe_split": split, "params": {"method": method_of(output)}}
        return Call("/invocations", write_json(body))

    def read(self, body: bytes, output: OutputName) -> list[Any]:
        return only(msgspec.json.decode(body)["predictions"], output)


def _ping(request: Request, service: Service) -> Reply:
    service.require_ready()
    return _LINE


def _version(request: Request, service: Service) -> Reply:
    return Reply(version("drivetrain").encode(), media=_TEXT)


@Predicts
def _invocations(request: Request, service: Service) -> Steps:
    served = service.served()
    params = None
    if request.media == JSON:
        asked = read_json(_decoder, request.body)
        rows, params = _json_rows(asked, served.contract), asked.params
    elif request.media == CSV:
        rows = rows_of_csv(request.body)
    else:
        rows = read_table(request.body, request.media, service)
    method = asked_method(served, params)
    answer = yield Question(served, rows)
    if request.header(b"accept") == ARROW:
        return Reply(write_answer(answer, served), media=ARROW, answer=answer)
    body = write_json({"predictions": rows_of_answers(answer.outputs, method)})
    return Reply(body, answer=answer)


def _json_rows(asked: Invocation, contract: Contract) -> Rows:
    records, split, instances, inputs = (
        asked.dataframe_records, asked.dataframe_split, asked.instances, asked.inputs,
    )  # fmt: skip
    if (records, split, instances, inputs).count(UNSET) != len(_FORMS) - 1:
        given = [form for form in _FORMS if getattr(asked, form) is not UNSET]
        got = " and ".join(given) or "none of them"
        raise refused(f"exactly one of {', '.join(_FORMS)}", got, code="DT2BE")
    if not isinstance(records, UnsetType):
        return rows_of_records(records, contract)
    if not isinstance(split, UnsetType):
        return rows_of_split(split.columns, split.data, "dataframe_split.data")
    if not isinstance(instances, UnsetType):
        return rows_of_records(instances, contract)
    if isinstance(inputs, dict):
        return rows_of_columns(inputs)
    return rows_of_records(inputs, contract)  # type: ignore[arg-type]


protocol = MLflow()
