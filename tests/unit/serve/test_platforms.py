"""What clouds ask of a container beside the laws of all protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.serve.platforms import place_of
from drivetrain.serve.protocol import Protocol
from drivetrain.serve.protocols.azure_ml import protocol as azure_ml
from drivetrain.serve.protocols.kserve_v1 import protocol as kserve_v1
from drivetrain.serve.protocols.mlflow import protocol as mlflow
from drivetrain.serve.protocols.vertex import Vertex
from drivetrain.testing.protocols import line_of, serving
from drivetrain.testing.tabular_model import COLUMNS, TabularModel

NAMES = [column.name for column in COLUMNS]
ROWS = TabularModel().rows(3)
LISTS = [[row[name] for name in NAMES] for row in ROWS]


def ask(protocol: Protocol, path: str, **body: Any) -> Any:
    with serving(protocol) as client:
        reply = client.post(path, msgspec.json.encode(body))
    assert reply.status == 200, reply.body
    return msgspec.json.decode(reply.body)


def expected(output: str = "prediction") -> list[Any]:
    model = TabularModel()
    found: list[Any] = model.run(model.admit(ROWS).columns)[output].tolist()
    return found


def test_kserve_v1_takes_objects_lists_and_columns() -> None:
    path = "/v1/models/tabular:predict"
    columns = {name: [row[name] for row in ROWS] for name in NAMES}
    assert ask(kserve_v1, path, instances=ROWS) == {"predictions": expected()}
    assert ask(kserve_v1, path, instances=LISTS, signature_name="x") == {"predictions": expected()}
    assert ask(kserve_v1, path, inputs=columns) == {"outputs": expected()}
    asked = {"instances": ROWS, "parameters": {"method": "predict_proba"}}
    found = ask(kserve_v1, path, **asked)["predictions"]
    assert [len(row) for row in found] == [3, 3, 3]


def test_kserve_v1_lists_its_model_and_says_whether_it_is_ready() -> None:
    with serving(kserve_v1) as client:
        assert client.get("/v1/models").body == b'{"models":["tabular"]}'
        assert client.get("/v1/models/tabular").body == b'{"name":"tabular","ready":true}'
        assert client.get("/v1/models/other").status == 404
        assert client.post("/v1/models/other:predict", b'{"instances":[]}').status == 404
        assert client.get("/v1/models/tabular:predict").headers["allow"] == "POST"
        assert client.post("/v1/models/tabular", b"{}").status == 405
        assert client.post("/v1/models/:predict", b"{}").status in (404, 405)
        client.app.service.drain()
        assert client.get("/v1/models/tabular").status == 503


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"instances": [], "inputs": {}}', "exactly one of instances, inputs, got both"),
        (b'{"instances": [{}, []]}', "instances, row 1: expected an object"),
        (b'{"instances": [[1], {}]}', "instances, row 1: expected a list of cells"),
        (b'{"instances": [[1]]}', "instances, row 0: expected 7 cells"),
        (b'{"instances": ["a"]}', "instances, row 0: expected an object, got a text of"),
    ],
)
def test_rows_of_another_form_are_named(body: bytes, told: str) -> None:
    with serving(kserve_v1) as client:
        reply = client.post("/v1/models/tabular:predict", body)
    assert reply.status == 400
    assert told in line_of(reply)


def test_vertex_routes_come_from_the_environment() -> None:
    named = Vertex({"AIP_PREDICT_ROUTE": "/p", "AIP_HEALTH_ROUTE": "/h"})
    assert ask(named, "/p", instances=ROWS) == {"predictions": expected()}
    with serving(named) as client:
        assert (client.get("/h").status, client.get("/h").body) == (200, b"{}")
        client.app.service.drain()
        assert client.get("/h").status == 503
    default = "/v1/endpoints/12/deployedModels/34"
    assert ask(Vertex({}), default + ":predict", instances=LISTS) == {"predictions": expected()}
    with serving(Vertex({})) as client:
        assert client.get(default).status == 200


def test_azure_ml_takes_frames_records_and_rows_and_answers_a_list() -> None:
    split = {"columns": NAMES, "index": [0, 1, 2], "data": LISTS}
    for body in ({"input_data": split}, {"input_data": ROWS}, {"data": ROWS}, {"data": LISTS}):
        assert ask(azure_ml, "/score", **body) == expected()
    with serving(azure_ml) as client:
        reply = client.post("/score", b"{}")
        assert "exactly one of input_data, data" in msgspec.json.decode(reply.body)["message"]


def test_sagemaker_asks_ping_and_invocations() -> None:
    with serving(mlflow) as client:
        assert client.get("/ping").status == 200
        body = b"age,hours,member,job,note,since,size\r\n1,2,true,a,b,2020-01-01,"
        headers = {"content-type": "text/csv", "x-amzn-sagemaker-custom-attributes": "a=b"}
        reply = client.ask("POST", "/invocations", body, headers=headers)
        assert reply.status == 200
        client.app.service.drain()
        assert client.get("/ping").status == 503


def write_bundle_at(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(b"{}")
    return folder


def test_each_platform_names_bundle_and_port_in_its_own_way(tmp_path: Path) -> None:
    bundle = write_bundle_at(tmp_path / "model" / "income.bundle")
    for name in ("MODEL_PATH", "AZUREML_MODEL_DIR", "SM_MODEL_DIR", "AIP_STORAGE_URI"):
        for folder in (bundle, bundle.parent):
            place = place_of({name: str(folder)})
            assert (place.bundle, place.host, place.port) == (bundle, "0.0.0.0", 8080)
    environment = {"MODEL_PATH": str(bundle), "AIP_HTTP_PORT": "9090", "AIP_STORAGE_URI": "gs://b"}
    assert place_of(environment).port == 9090


def test_no_bundle_two_bundles_and_a_port_that_is_none_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="expected one bundle, got 0"):
        place_of({"MODEL_PATH": str(tmp_path)})
    for name in "ab":
        write_bundle_at(tmp_path / name)
    with pytest.raises(SettingError, match="got 2 of them"):
        place_of({"MODEL_PATH": str(tmp_path)})
    with pytest.raises(SettingError, match="expected a port"):
        place_of({"MODEL_PATH": str(tmp_path / "a"), "AIP_HTTP_PORT": "-1"})


def test_sagemakers_port_is_taken_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    environment = {"SM_MODEL_DIR": str(write_bundle_at(tmp_path / "model"))}
    assert place_of(environment | {"SAGEMAKER_BIND_TO_PORT": "8443"}).port == 8443
    with pytest.raises(SettingError, match="SAGEMAKER_BIND_TO_PORT: expected a port"):
        place_of(environment | {"SAGEMAKER_BIND_TO_PORT": "http"})
