"""The OpenAPI document of a server, made from its routes and its bundle's Contract.

https://spec.openapis.org/oas/v3.1.0. What the document allows for a row is answered with 200; the
server takes more than that (a number as a text, say), which the Contract's policies decide. Of a
private column it tells no range and no category, so it cannot tell which of them are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, TypeAlias

from drivetrain.core.contract import Column, Contract
from drivetrain.runtime.methods import methods_of
from drivetrain.serve.protocol import JSON, Protocol, Route
from drivetrain.serve.service import Served

Schema: TypeAlias = dict[str, Any]
_LARGEST = 1.7976931348623157e308
_TIME = (
    "^(19[0-9]{2}|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
)
_NAMES = re.compile(r"\{(\w+)\}")
_REFUSALS = {
    400: "The request, or a row in it, is wrong; the body says where.",
    401: "There is no key, or an unknown one.",
    403: "The key may not do this.",
    404: "There is no such model or version.",
    408: "The body came too slowly.",
    413: "The body is too large, or has too many rows.",
    415: "The media type is none that is read here.",
    503: "The server is not ready, or full; try again after Retry-After.",
    504: "There was no answer before the deadline.",
}


def document(served: Served, protocols: Mapping[str, Protocol], *, max_rows: int) -> Schema:
    """Describe everything that is served."""
    paths: dict[str, Schema] = {}
    for protocol in protocols.values():
        for route in protocol.routes:
            operation = _operation(route, protocol, served)
            paths.setdefault(route.pattern, {})[route.method.lower()] = operation
    manifest = served.model.manifest
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}, "maxItems": max_rows}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": served.name,
            "version": served.version,
            "description": f"Predictions of the model '{served.name}' ({manifest.task}).",
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Row": _row(served.contract),
                "Rows": rows,
                "Params": _params(served),
                "Label": _label(served),
                "Error": {"type": "object"},
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "x-generated-by": f"drivetrain {version('drivetrain')}",
    }


def _operation(route: Route, protocol: Protocol, served: Served) -> Schema:
    names = _NAMES.findall(route.pattern)
    known = {"model": [served.name], "version": [served.version]}
    operation: Schema = {
        "summary": route.summary,
        "tags": [protocol.title],
        "operationId": re.sub(r"\W+", "_", route.method + route.pattern),
        "parameters": [
            {"name": name, "in": "path", "required": True,
             "schema": {"type": "string", "minLength": 1, **_one_of(known.get(name))}}
            for name in names
        ],
        "responses": _responses(route, protocol),
    }  # fmt: skip
    if not route.is_open:
        operation["security"] = [{}, {"key": []}]
    if route.method == "POST":
        body = protocol.schemas().get(route.pattern, ({"type": "object"}, {}))[0]
        content: Schema = {media: {} for media in route.media}
        content[JSON] = {"schema": body}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(route: Route, protocol: Protocol) -> Schema:
    answer = protocol.schemas().get(route.pattern, ({}, {}))[1]
    found: Schema = {"200": {"description": "The answer.", "content": _contents(route, answer)}}
    if route.method == "POST":
        text = {"schema": {"type": "string"}}
        found["200"]["headers"] = {"X-Prediction-Id": text, "X-Model-Version": text}
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status, told in _REFUSALS.items():
        if route.method == "POST" or status in (401, 403, 404, 503):
            found[str(status)] = {"description": told, "content": error}
    return found


def _contents(route: Route, answer: Schema) -> Schema:
    media = route.answers or (JSON,)
    return {name: {"schema": answer} if name == JSON else {} for name in media}


def _one_of(names: Iterable[str] | None) -> Schema:
    return {} if names is None else {"enum": list(names)}


def _params(served: Served) -> Schema:
    methods = list(methods_of(served.output_names))
    method = {"type": "string", "enum": methods}
    properties = {"method": method}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _label(served: Served) -> Schema:
    label = {"type": ["string", "null"], "enum": [*served.classes, None]}
    properties = {"label": label} if served.classes else {}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _row(contract: Contract) -> Schema:
    properties = {column.name: _cell(column) for column in contract.columns}
    required = list(properties) if contract.missing_column == "reject" else []
    others = contract.extra_column != "reject"
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": others,
    }


def _cell(column: Column) -> Schema:
    may_miss = column.policy.missing != "reject"
    schema: Schema
    if column.kind == "number":
        schema = {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}
        is_bounded = column.policy.range == "reject" and not column.private
        if is_bounded and column.low is not None:
            schema |= {"minimum": column.low, "maximum": column.high}
    elif column.kind == "boolean":
        schema = {"type": "boolean"}
    elif column.kind == "datetime":
        schema = {"type": "string", "pattern": _TIME}
    elif column.kind == "vector":
        items = {"type": ["number", "null"], "minimum": -_LARGEST, "maximum": _LARGEST}
        return {"type": "array", "items": items, "minItems": column.width, "maxItems": column.width}
    else:
        schema = {"type": ["string", "number", "boolean"]}
        is_closed = column.policy.unseen == "reject" and not column.private
        if is_closed and column.categories is not None:
            schema = {"type": "string", "enum": list(column.categories)}
    if may_miss:
        types = schema["type"]
        schema["type"] = [*([types] if isinstance(types, str) else types), "null"]
        if "enum" in schema:
            schema["enum"] += [None]
    return schema
