"""MLflow's scoring protocol: forms of rows, and what makes each of them wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from drivetrain.runtime.admit import Admitted
from drivetrain.serve.protocols.mlflow import protocol
from drivetrain.testing.asgi_client import AsgiClient, Response
from drivetrain.testing.protocols import line_of, serving
from drivetrain.testing.tabular_model import CLASSES, COLUMNS, TabularModel

NAMES = [column.name for column in COLUMNS]


@pytest.fixture
def client() -> Iterator[AsgiClient]:
    with serving(protocol) as opened:
        yield opened


def invoke(client: AsgiClient, **asked: Any) -> Response:
    return client.post("/invocations", msgspec.json.encode(asked))


def predictions(reply: Response) -> Any:
    assert reply.status == 200, reply.body
    told = msgspec.json.decode(reply.body)
    assert list(told) == ["predictions"]
    return told["predictions"]


def columns_of(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in NAMES}


@pytest.mark.parametrize("count", [1, 5])
def test_all_forms_of_the_same_rows_give_the_same_answer(client: AsgiClient, count: int) -> None:
    rows = TabularModel().rows(count)
    split = {"columns": NAMES[::-1], "data": [[row[name] for name in NAMES[::-1]] for row in rows]}
    expected = predictions(invoke(client, dataframe_records=rows))
    assert len(expected) == count
    assert set(expected) <= set(CLASSES)
    for form in (
        {"dataframe_split": split},
        {"dataframe_split": split | {"index": list(range(count))}},
        {"instances": rows},
        {"inputs": columns_of(rows)},
        {"inputs": rows},
    ):
        assert predictions(invoke(client, **form)) == expected


def test_inputs_of_single_cells_are_one_row() -> None:
    model = TabularModel()
    row = {name: cell for name, cell in model.rows(1)[0].items() if name != "size"}
    with serving(protocol) as client:
        reply = invoke(client, inputs=row)  # 'size' is lacking, and the row was understood as one
        assert "column 'size'" in line_of(reply)


def test_csv_is_read_as_text_cells() -> None:
    class Flat(TabularModel):
        def admit(self, source: object) -> Admitted:
            seen.append(source)
            return super().admit(source)

    seen: list[object] = []
    model = Flat()
    line = ',39,40.5,true,clerk,"a, b"'
    with serving(protocol, model) as client:
        for count in (1, 2):
            text = "\r\n".join(["since,age,hours,member,job,note", *[line] * count])
            reply = client.post("/invocations", text.encode(), media="text/csv")
            assert "column 'size'" in line_of(reply)  # a vector has no form in CSV
    cells = ["", "39", "40.5", "true", "clerk", "a, b"]
    row = dict(zip(["since", "age", "hours", "member", "job", "note"], cells, strict=True))
    assert seen == [[row], {name: [cell, cell] for name, cell in row.items()}]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "expected CSV with a header line, got no lines"),
        (b"a,b\n1\n", "the body, row 0: expected 2 cells, one per column, got 1"),
        (b"a,b\n1,2\n\n1,2,3\n", "row 1: expected 2 cells"),
        (b"a,a\n1,2\n", "column 'a': expected different columns"),
        (b'a,b\n"1,2\n', "expected CSV, got quotes that do not close"),
        (b"a,b\n\xff,2\n", "expected CSV in UTF-8"),
    ],
)
def test_bad_csv_is_400(client: AsgiClient, body: bytes, told: str) -> None:
    reply = client.post("/invocations", body, media="text/csv")
    assert reply.status == 400
    assert told in line_of(reply)


@pytest.mark.parametrize("media", ["text/csv; charset=utf-8", "application/json;charset=UTF-8", ""])
def test_utf8_may_be_named(client: AsgiClient, media: str) -> None:
    assert client.post("/invocations", b"", media=media).status == 400


@pytest.mark.parametrize("media", ["text/csv; charset=utf-16", "application/json; format=pandas"])
def test_other_parameters_of_the_media_type_are_415(client: AsgiClient, media: str) -> None:
    assert client.post("/invocations", b"{}", media=media).status == 415


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "exactly one of dataframe_records, dataframe_split, instances, inputs, got none"),
        ({"dataframe_record": []}, "got none of them"),
        ({"inputs": [], "instances": []}, "got instances and inputs"),
        ({"dataframe_records": {"age": 1}}, "at $.dataframe_records: expected array, got object"),
        ({"dataframe_records": [{"age": 1}, 7]}, "at $.dataframe_records[1]: expected object"),
        ({"dataframe_split": {"data": []}}, "expected a member 'columns', got none"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}, "data, row 1: expected"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "column 'a': expected"),
        ({"instances": [[1, 2]]}, "at $.instances[0]: expected object, got array"),
        ({"inputs": {"age": [1, 2], "job": ["a"]}}, "column 'job': expected a list of 2 cells"),
        ({"inputs": {"age": [1, 2], "job": "a"}}, "column 'job': expected a list of 2 cells"),
        ({"inputs": 5}, "at $.inputs"),
        ({"dataframe_records": [], "params": {"method": "drop"}}, "expected method predict or"),
        ({"dataframe_records": [], "params": {"other": 1}}, "expected the documented form"),
        ({"dataframe_records": [{}, {}]}, "column 'age'"),
    ],
    ids=str,
)  # fmt: skip
def test_another_form_is_400_in_words(client: AsgiClient, asked: Any, told: str) -> None:
    reply = invoke(client, **asked)
    assert reply.status == 400
    assert told in line_of(reply)
    assert msgspec.json.decode(reply.body)["error_code"] == "BAD_REQUEST"


def test_a_list_in_a_cell_is_refused_alone_as_in_a_batch(client: AsgiClient) -> None:
    rows = [
        row | {"age": [1, 2], "hours": [1, 2], "job": ["a", "b"]} for row in TabularModel().rows(2)
    ]
    for some in (rows, rows[:1]):
        reply = invoke(client, dataframe_records=some)
        assert reply.status == 400
        assert "column 'age', row 0" in line_of(reply)


def test_a_regression_has_no_probabilities() -> None:
    model = TabularModel("regression")
    with serving(protocol, model) as client:
        asked = {"dataframe_records": model.rows(2)}
        assert all(isinstance(value, float) for value in predictions(invoke(client, **asked)))
        reply = invoke(client, **asked, params={"method": "predict_proba"})
    assert reply.status == 400
    assert "expected method predict, got predict_proba" in line_of(reply)


def test_health_is_a_line_or_503(client: AsgiClient) -> None:
    for path in ("/ping", "/health"):
        assert (client.get(path).status, client.get(path).body) == (200, b"\n")
    assert client.get("/version").headers["content-type"].startswith("text/plain")
    client.app.service.drain()
    for path in ("/ping", "/health"):
        assert client.get(path).status == 503
