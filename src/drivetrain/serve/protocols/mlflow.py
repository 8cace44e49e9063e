"""MLflow's scoring protocol: ``/invocations`` as ``mlflow models serve`` takes it.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally. A body holds exactly one of
``dataframe_records``, ``dataframe_split``, ``instances`` (rows) and ``inputs`` (columns), or is
CSV with a header. The answer is ``{"predictions": [...]}``: labels or values, or, with
``"params": {"method": "predict_proba"}``, one list of probabilities for each row in the order of
the bundle's classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from drivetrain.core.contract import Contract
from drivetrain.core.errors import RequestError, Value
from drivetrain.serve.payload import read_json, refused, write_json
from drivetrain.serve.protocol import JSON, Call, Cell, OutputName, Protocol, Reply, Request, Route
from drivetrain.serve.service import Rows, Served, Service

CSV = "text/csv"
_LINE = Reply(b"\n")
_ERROR_CODES = {
    404: "RESOURCE_DOES_NOT_EXIST",
    413: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

Records: TypeAlias = list[dict[str, Any]]
Columns: TypeAlias = dict[str, Any]


class Params(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What can be asked for beside the rows."""

    method: str = "predict"


class Split(msgspec.Struct, frozen=True, gc=False):
    """A frame as ``DataFrame.to_dict(orient="split")`` writes it."""

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


class Invocation(msgspec.Struct, frozen=True, gc=False):
    """The JSON body; unknown members are ignored."""

    dataframe_records: Records | UnsetType = UNSET
    dataframe_split: Split | UnsetType = UNSET
    instances: Records | UnsetType = UNSET
    inputs: Records | Columns | UnsetType = UNSET
    params: Params | None = None


_decoder = msgspec.json.Decoder(Invocation)
_METHODS: dict[str, OutputName] = {"predict": "prediction", "predict_proba": "probabilities"}
_FORMS = ("dataframe_records", "dataframe_split", "instances", "inputs")


class MLflow(Protocol):
    """``POST /invocations`` and the three questions about health."""

    title = "MLflow scoring protocol"

    def __init__(self) -> None:
        self.routes = (
            Route("POST", "/invocations", _invocations, (JSON, CSV), summary="Predict"),
            Route("GET", "/ping", _ping, summary="Whether the model answers"),
            Route("GET", "/health", _ping, summary="Whether the model answers"),
            Route("GET", "/version", _version, summary="Version of the server"),
        )

    def error(self, status: int, line: str) -> bytes:
        return write_json({"error_code": _ERROR_CODES.get(status, "BAD_REQUEST"), "message": line})

    def call(
        self, contract: Contract, model: str, rows: Sequence[Mapping[str, Cell]], output: OutputName
    ) -> Call:
        names = contract.names
        split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
        method = next(name for name, known in _METHODS.items() if known == output)
        body = {"dataframe_split": split, "params": {"method": method}}
        return Call("/invocations", write_json(body))

    def read(self, body: bytes, output: OutputName) -> list[Any]:
        return list(msgspec.json.decode(body)["predictions"])


def _ping(request: Request, service: Service) -> Reply:
    service.require_ready()
    return _LINE


def _version(request: Request, service: Service) -> Reply:
    return Reply(version("drivetrain").encode(), media="text/plain; charset=utf-8")


def _invocations(request: Request, service: Service) -> Reply:
    served = service.served()
    if request.media == CSV:
        rows, method = _csv_rows(request.body), "predict"
    else:
        asked = read_json(_decoder, request.body)
        rows = _json_rows(asked)
        method = "predict" if asked.params is None else asked.params.method
    output = _output(served, method)
    answer = service.predict(served, rows)
    body = write_json({"predictions": answer.outputs[output].tolist()})
    return Reply(body, answer=answer)


def _output(served: Served, method: str) -> str:
    output = _METHODS.get(method)
    if output in served.output_names:
        return output
    methods = [name for name, output in _METHODS.items() if output in served.output_names]
    got = method if output else Value(method).described()
    raise refused(f"method {' or '.join(methods)}", got, where="params", code="DT275")


def _json_rows(asked: Invocation) -> Rows:
    given = [form for form in _FORMS if getattr(asked, form) is not UNSET]
    if len(given) != 1:
        got = " and ".join(given) or "none of them"
        raise refused(f"exactly one of {', '.join(_FORMS)}", got, code="DT267")
    if asked.dataframe_records is not UNSET:
        return asked.dataframe_records
    if asked.dataframe_split is not UNSET:
        split = asked.dataframe_split
        return _columns_of(split.columns, split.data, "dataframe_split.data")
    if asked.instances is not UNSET:
        return asked.instances
    inputs = asked.inputs
    return _even(inputs) if isinstance(inputs, dict) else inputs  # type: ignore[return-value]


def _even(columns: Columns) -> Rows:
    """Return the columns of ``inputs``, all lists of one length, or all single cells of one row."""
    lengths = {name: len(cells) for name, cells in columns.items() if isinstance(cells, list)}
    if not lengths:
        return [columns]
    first, rows = next(iter(lengths.items()))
    for name in columns:
        if lengths.get(name) != rows:
            got = f"{lengths[name]}" if name in lengths else Value(columns[name]).described()
            expected = f"a list of {rows} cells, as in column '{first}'"
            raise refused(expected, got, where=f"column '{name}'", code="DT268")
    return columns


def _columns_of(names: list[str], rows: list[list[Any]], place: str) -> Rows:
    if len(set(names)) != len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise refused("different columns", "two with this name", where=f"column '{twice}'")
    width = len(names)
    for row, cells in enumerate(rows):
        if len(cells) != width:
            raise _ragged(row, width, len(cells), place)
    if len(rows) == 1:
        return [dict(zip(names, rows[0], strict=True))]
    if not rows:
        return {name: [] for name in names}
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _csv_rows(body: bytes) -> Rows:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused("CSV in UTF-8", f"a bad byte at {error.start}") from error
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise refused("CSV", "quotes that do not close, or a cell too long") from error
    if not lines:
        raise refused("CSV with a header line", "no lines")
    return _columns_of(lines[0], lines[1:], "the body")


def _ragged(row: int, expected: int, got: int, place: str) -> RequestError:
    return refused(f"{expected} cells, one per column", f"{got}", where=f"{place}, row {row}")


protocol = MLflow()
