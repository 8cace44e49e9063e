"""Open Inference Protocol v2: the cases that facts of the specification leave to get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from drivetrain.core.contract import Column, Contract
from drivetrain.serve.protocols.oip_v2 import protocol
from drivetrain.serve.service import Served
from drivetrain.testing.asgi_client import AsgiClient, Response
from drivetrain.testing.protocols import line_of, serving
from drivetrain.testing.tabular_model import TabularModel

PATH = "/v2/models/tabular/infer"


@pytest.fixture
def client() -> Iterator[AsgiClient]:
    with serving(protocol) as opened:
        yield opened


def a_request(count: int = 2) -> dict[str, Any]:
    model = TabularModel()
    call = protocol.call(model.contract, "tabular", model.rows(count), "prediction")
    asked: dict[str, Any] = msgspec.json.decode(call.body)
    return asked


def tensor(asked: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in asked["inputs"] if item["name"] == name)
    return found


def infer(client: AsgiClient, asked: dict[str, Any], path: str = PATH) -> Response:
    return client.post(path, msgspec.json.encode(asked))


def answer(reply: Response) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    told: dict[str, Any] = msgspec.json.decode(reply.body)
    return told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shape": [3]}, "expected 3 items for shape [3], got 2"),
        ({"shape": [2, 2]}, "expected shape [rows] or [rows, 1], got [2, 2]"),
        ({"shape": [-2]}, "rows >= 0, got [-2]"),
        ({"shape": []}, "expected shape [rows]"),
        ({"shape": [2**62]}, "items for shape"),
        ({"shape": [2**60, 2**60]}, "expected shape [rows]"),
        ({"shape": [1], "data": [1.0]}, "expected 2 rows, as in the tensors before it, got 1"),
        ({"shape": [0], "data": []}, "expected 2 rows, as in the tensors before it, got 0"),
        ({"datatype": "BYTES", "data": ["1", "2"]}, "expected datatype FP64"),
        ({"datatype": "FP16"}, "got another datatype"),
        ({"datatype": "INT64", "data": [1, 2.5]}, "row 1: expected a whole number"),
        ({"datatype": "INT8", "data": [1, 128]}, "row 1: expected an INT8 from -128 to 127"),
        ({"datatype": "UINT8", "data": [-1, 1]}, "row 0: expected an UINT8 from 0 to 255"),
        ({"datatype": "BOOL", "data": [True, 1]}, "row 1: expected true or false"),
        ({"datatype": "FP32", "data": [1, 1e300]}, "row 1: expected a number within FP32"),
        ({"data": [1, "2"]}, "row 1: expected a number, as FP64 says, got a text of 1 characters"),
        ({"data": [1, True]}, "row 1: expected a number, as FP64 says, got a boolean"),
        ({"shape": [2, 1], "data": [[1], [2, 3]]}, "row 1: expected a list of 1 items"),
        ({"shape": [2, 1], "data": [[1], 2]}, "row 1: expected a list of 1 items, got a number"),
        ({"data": [[1], [2]]}, "expected data nested 1 deep"),
        ({"data": [[[1]], [[2]]]}, "expected data nested 1 deep"),
    ],
    ids=str,
)
def test_a_tensor_that_is_wrong_in_itself_is_400(
    client: AsgiClient, change: dict[str, Any], told: str
) -> None:
    asked = a_request()
    tensor(asked, "hours").update(change)
    reply = infer(client, asked)
    assert reply.status == 400
    line = line_of(reply)
    assert line.startswith("column 'hours'")
    assert told in line


def test_data_may_be_nested_as_its_shape_says(client: AsgiClient) -> None:
    flat, nested = a_request(), a_request()
    for item in nested["inputs"]:
        if item["name"] != "size":
            item["shape"] = [2, 1]
            item["data"] = [[cell] for cell in item["data"]]
    tensor(flat, "size")["data"] = [cell for row in tensor(flat, "size")["data"] for cell in row]
    assert answer(infer(client, nested))["outputs"] == answer(infer(client, flat))["outputs"]


def test_a_vector_of_another_width_or_ragged_is_400(client: AsgiClient) -> None:
    for shape, data in (([2, 3], [[1, 2, 3]] * 2), ([2, 2], [[1, 2], [1]]), ([2], [1, 2])):
        asked = a_request()
        tensor(asked, "size").update(shape=shape, data=data)
        reply = infer(client, asked)
        assert reply.status == 400
        assert "column 'size'" in line_of(reply)


def test_integers_beyond_2_to_the_53_stay_exact_in_a_category(client: AsgiClient) -> None:
    answers = []
    for datatype, cell in (("INT64", 2**53 + 1), ("BYTES", "9007199254740993"), ("INT64", 2**53)):
        asked = a_request(1)
        tensor(asked, "job").update(datatype=datatype, data=[cell])
        asked["outputs"] = [{"name": "probabilities"}]
        answers.append(answer(infer(client, asked))["outputs"])
    assert answers[0] == answers[1] != answers[2]


def test_integers_beyond_2_to_the_53_are_counted_in_a_number(client: AsgiClient) -> None:
    for count in (1, 2):
        asked = a_request(count)
        tensor(asked, "age").update(datatype="INT64", data=[2**53 + 1] * count)
        assert infer(client, asked).status == 200
        tensor(asked, "age").update(data=[2**63] * count)
        assert "row 0: expected an INT64" in line_of(infer(client, asked))
    assert client.app.service.breaches["age", "range"] == 3


@pytest.mark.parametrize("count", [1, 2])
def test_a_number_of_32_bits_means_its_float32(client: AsgiClient, count: int) -> None:
    asked = a_request(count)
    asked["outputs"] = [{"name": "probabilities"}]
    tensor(asked, "hours").update(datatype="FP32", data=[0.1] * count)
    as_float = answer(infer(client, asked))["outputs"]
    tensor(asked, "hours").update(datatype="FP64", data=[float(np.float32(0.1))] * count)
    assert answer(infer(client, asked))["outputs"] == as_float


def test_null_is_missing_in_every_datatype(client: AsgiClient) -> None:
    for count in (1, 3):
        found = []
        for datatypes in (("FP64", "BOOL"), ("FP32", "BYTES"), ("INT64", "UINT8")):
            asked = a_request(count)
            for name, datatype in zip(("hours", "member"), datatypes, strict=True):
                tensor(asked, name).update(datatype=datatype, data=[None] * count)
            found.append(answer(infer(client, asked))["outputs"])
        assert found[0] == found[1] == found[2]


def test_an_input_given_twice_is_400(client: AsgiClient) -> None:
    asked = a_request()
    asked["inputs"].append(tensor(asked, "age"))
    reply = infer(client, asked)
    assert reply.status == 400
    assert "column 'age': expected one tensor" in line_of(reply)


@pytest.mark.parametrize("names", [["logits"], ["prediction", "prediction"], [""]])
def test_an_unknown_or_repeated_output_is_400(client: AsgiClient, names: list[str]) -> None:
    asked = a_request() | {"outputs": [{"name": name} for name in names]}
    reply = infer(client, asked)
    assert reply.status == 400
    assert "prediction, probabilities at most once" in line_of(reply)


@pytest.mark.parametrize("outputs", [None, []])
def test_all_outputs_come_when_none_is_asked_for(client: AsgiClient, outputs: Any) -> None:
    told = answer(infer(client, a_request(2) | {"outputs": outputs}))
    faces = [(item["name"], item["datatype"], item["shape"]) for item in told["outputs"]]
    assert faces == [("prediction", "BYTES", [2]), ("probabilities", "FP32", [2, 3])]


@pytest.mark.parametrize("given", ["42", "", "né-寿-💡", 'a\n"b"', "x" * 5000])
def test_the_id_is_echoed(client: AsgiClient, given: str) -> None:
    assert answer(infer(client, a_request() | {"id": given}))["id"] == given


def test_no_id_is_no_id(client: AsgiClient) -> None:
    assert "id" not in answer(infer(client, a_request()))
    assert infer(client, a_request() | {"id": 7}).status == 400


def test_unknown_members_are_ignored(client: AsgiClient) -> None:
    asked = a_request() | {"parameters": {"priority": 1}, "later": [1]}
    tensor(asked, "age")["parameters"] = {"content_type": "np"}
    assert answer(infer(client, asked))["model_name"] == "tabular"


def test_models_and_versions_are_known_by_name(client: AsgiClient) -> None:
    version = Served(TabularModel()).version
    for path, status in (
        ("/v2/models/tabular", 200),
        (f"/v2/models/tabular/versions/{version}", 200),
        (f"/v2/models/tabular/versions/{version}/ready", 200),
        ("/v2/models/tabular/versions/0", 404),
        ("/v2/models/tabular/versions/0/ready", 404),
        ("/v2/models/another", 404),
        ("/v2/models/another/ready", 404),
        ("/v2/models/", 404),
        ("/v2/models/%2e%2e%2f", 404),
        ("/v2/models/tab%75lar", 200),
        ("/v2/models/tabular%2Fready", 404),
        ("/v2/models/%ff%00", 404),
        ("/v2/models/" + "a" * 5000, 404),
    ):
        reply = client.get(path)
        assert reply.status == status, path
        assert status == 200 or "another" not in line_of(reply).split("Ask")[0].split("got")[0]
    assert infer(client, a_request(), f"/v2/models/tabular/versions/{version}/infer").status == 200
    assert infer(client, a_request(), "/v2/models/tabular/versions/9/infer").status == 404
    assert infer(client, a_request(), "/v2/models/other/infer").status == 404


def test_server_and_model_describe_themselves(client: AsgiClient) -> None:
    for path in ("/v2", "/v2/"):
        told = msgspec.json.decode(client.get(path).body)
        assert (told["name"], told["extensions"]) == ("drivetrain", ["binary_tensor_data"])
    told = msgspec.json.decode(client.get("/v2/models/tabular").body)
    assert told["inputs"] == [
        {"name": "age", "datatype": "FP64", "shape": [-1]},
        {"name": "hours", "datatype": "FP64", "shape": [-1]},
        {"name": "member", "datatype": "BOOL", "shape": [-1]},
        {"name": "job", "datatype": "BYTES", "shape": [-1]},
        {"name": "note", "datatype": "BYTES", "shape": [-1]},
        {"name": "since", "datatype": "BYTES", "shape": [-1]},
        {"name": "size", "datatype": "FP64", "shape": [-1, 2]},
    ]
    assert told["outputs"] == [
        {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
    ]
    assert told["versions"] == [Served(TabularModel()).version]


def test_health_tells_the_truth_in_every_state(client: AsgiClient) -> None:
    states = {"loading": 503, "ready": 200, "draining": 503}
    for state, status in states.items():
        client.app.service.state = state  # type: ignore[assignment]
        assert client.get("/v2/health/live").status == 200
        for path in ("/v2/health/ready", "/v2/models/tabular/ready"):
            reply = client.get(path)
            assert reply.status == status
            assert msgspec.json.decode(reply.body)["ready"] is (status == 200)


def test_an_extra_tensor_of_any_form_is_checked_too(client: AsgiClient) -> None:
    asked = a_request()
    asked["inputs"].append({"name": "x", "shape": [2**60, 0], "datatype": "FP32", "data": []})
    assert infer(client, asked).status == 400
    asked["inputs"][-1] |= {"shape": [2, 3, 1], "data": list(range(6))}
    assert infer(client, asked).status == 200


def test_a_contract_of_one_vector_is_served() -> None:
    contract = Contract(columns=(Column(name="v", kind="vector", width=2),))
    for rows in ([], [{"v": [1.0, 2.0]}], [{"v": [1.0, 2.0]}, {"v": [3.0, None]}]):
        call = protocol.call(contract, "tabular", rows, "prediction")
        with serving(protocol) as client:
            reply = client.post(call.path, call.body)
        assert "column 'age'" in line_of(reply) or not rows
