"""Tables in JSON and CSV, as several protocols carry them, and the choice of what is answered."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from drivetrain.core.contract import Contract
from drivetrain.core.errors import RequestError, Value
from drivetrain.runtime.methods import METHODS, PREDICT, PREDICT_ALL
from drivetrain.serve.payload import refused
from drivetrain.serve.protocol import OutputName
from drivetrain.serve.service import Rows, Served

Records: TypeAlias = list[dict[str, Any]]
Columns: TypeAlias = dict[str, Any]

PREDICTIONS_SCHEMA = {
    "type": "object",
    "properties": {"predictions": {"type": "array"}},
    "required": ["predictions"],
}


ROWS_SCHEMA: Mapping[str, Any] = {"$ref": "#/components/schemas/Rows"}
PARAMS_SCHEMA: Mapping[str, Any] = {"$ref": "#/components/schemas/Params"}


class Params(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What can be asked for beside the rows."""

    method: str = PREDICT


class Split(msgspec.Struct, frozen=True, gc=False):
    """A frame as ``DataFrame.to_dict(orient="split")`` writes it."""

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


def schemas_of(
    member: str, params: str, answer: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe a body whose rows stand under ``member``, and its answer, in JSON Schema."""
    properties = {member: ROWS_SCHEMA, params: PARAMS_SCHEMA}
    return {"type": "object", "properties": properties, "required": [member]}, answer


def method_of(output: OutputName) -> str:
    """Return the method that gives an output."""
    return next(name for name, known in METHODS.items() if output in known)


def only(answers: list[Any], output: OutputName) -> list[Any]:
    """Return one output of the rows that its method answers."""
    outputs = METHODS[method_of(output)]
    return answers if len(outputs) == 1 else [row[outputs.index(output)] for row in answers]


def asked_method(served: Served, params: Params | None) -> str:
    """Return the method that the parameters ask for; RequestError if the model has none such."""
    method = PREDICT if params is None else params.method
    methods = served.methods
    if method in methods:
        return method
    got = method if method in METHODS or method == PREDICT_ALL else Value(method).described()
    raise refused(f"method {' or '.join(methods)}", got, where="params", code="DT275")


def rows_of_records(records: Records, contract: Contract) -> Rows:
    """Read records; no rows have all columns."""
    return records or {name: [] for name in contract.names}


def rows_of_instances(instances: list[Any], contract: Contract, place: str) -> Rows:
    """Read rows that are all objects, or all lists of cells in the order of the Contract."""
    is_list = bool(instances) and type(instances[0]) is list
    kind = list if is_list else dict
    for row, instance in enumerate(instances):
        if type(instance) is not kind:
            expected = "a list of cells" if is_list else "an object"
            got = Value(instance).described()
            raise refused(expected, got, where=f"{place}, row {row}")
    if is_list:
        return rows_of_split(list(contract.names), instances, place)
    return rows_of_records(instances, contract)


def rows_of_columns(columns: Columns) -> Rows:
    """Read columns that are all lists of one length, or all single cells of one row."""
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


def rows_of_split(names: Sequence[str], rows: list[list[Any]], place: str) -> Rows:
    """Read names, and rows of as many cells."""
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


def rows_of_csv(body: bytes) -> Rows:
    """Read CSV with a header line, in UTF-8; every cell is a text."""
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
    return rows_of_split(lines[0], lines[1:], "the body")


def _ragged(row: int, expected: int, got: int, place: str) -> RequestError:
    return refused(f"{expected} cells, one per column", f"{got}", where=f"{place}, row {row}")
