"""NVIDIA's own client over HTTP, in JSON and in binary, and over gRPC; and what it never sends."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import msgspec
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
import uvicorn
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from drivetrain.core.contract import Column, Contract
from drivetrain.serve.app import App
from drivetrain.serve.grpc_messages import SERVICE, messages
from drivetrain.serve.grpc_server import GrpcServer
from drivetrain.serve.protocols.oip_v2 import protocol
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient, Response
from drivetrain.testing.protocols import line_of, serving
from drivetrain.testing.tabular_model import TabularModel

MODEL = TabularModel()
PATH = "/v2/models/tabular/infer"


@pytest.fixture(scope="module")
def http() -> Iterator[triton_http.InferenceServerClient]:
    service = Service()
    service.swap(Served(MODEL))
    app = App(service, ServeSettings())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    started = threading.Event()
    begin = server.startup

    async def startup(sockets: Any = None) -> None:
        await begin(sockets)
        started.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    client = triton_http.InferenceServerClient(f"127.0.0.1:{port}")
    yield client
    client.close()
    server.should_exit = True
    thread.join(20)
    app.close()


@pytest.fixture(scope="module")
def grpc_server() -> Iterator[GrpcServer]:
    service = Service(max_rows=1000)
    service.swap(Served(MODEL))
    server = GrpcServer(service, ServeSettings(grpc_port=0, max_body_bytes=100_000))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def remote(grpc_server: GrpcServer) -> Iterator[triton_grpc.InferenceServerClient]:
    client = triton_grpc.InferenceServerClient(f"127.0.0.1:{grpc_server.port}")
    yield client
    client.close()


def arrays_of(count: int) -> dict[str, tuple[np.ndarray, str]]:
    """Whole rows: a tensor in bytes has no null."""
    rows = [row for row in MODEL.rows(40 * count) if None not in row.values()][:count]
    return {
        "age": (np.array([row["age"] for row in rows]), "FP64"),
        "hours": (np.array([row["hours"] for row in rows], np.float32), "FP32"),
        "member": (np.array([row["member"] for row in rows], np.bool_), "BOOL"),
        "job": (np.array([row["job"] for row in rows], object), "BYTES"),
        "note": (np.array([row["note"] for row in rows], object), "BYTES"),
        "since": (np.array([row["since"] for row in rows], object), "BYTES"),
        "size": (np.array([row["size"] for row in rows]), "FP64"),
    }


def expected(arrays: dict[str, tuple[np.ndarray, str]]) -> dict[str, np.ndarray]:
    columns = {name: values.tolist() for name, (values, _) in arrays.items()}
    return MODEL.run(MODEL.admit(columns).columns)


def same(result: Any, arrays: dict[str, tuple[np.ndarray, str]]) -> None:
    wanted = expected(arrays)
    labels = [t.decode() if isinstance(t, bytes) else t for t in result.as_numpy("prediction")]
    assert labels == wanted["prediction"].tolist()
    assert np.array_equal(result.as_numpy("probabilities"), wanted["probabilities"])


def test_flags_travel_as_bool_in_bytes_and_over_grpc() -> None:
    model = TabularModel(extras=True)
    arrays = arrays_of(4)
    columns = {name: values.tolist() for name, (values, _) in arrays.items()}
    wanted = model.run(model.admit(columns).columns)["set"]
    inputs = [triton_http.InferInput(n, v.shape, t) for n, (v, t) in arrays.items()]
    for tensor, (values, _) in zip(inputs, arrays.values(), strict=True):
        tensor.set_data_from_numpy(values, binary_data=False)
    asked = [triton_http.InferRequestedOutput("set", binary_data=True)]
    body, _ = triton_http.InferenceServerClient.generate_request_body(inputs, outputs=asked)
    with serving(protocol, model) as client:
        reply = client.post(PATH, body)
    length = int(reply.headers["inference-header-content-length"])
    (told,) = msgspec.json.decode(reply.body[:length])["outputs"]
    assert (told["datatype"], told["shape"]) == ("BOOL", [4, 3])
    assert reply.body[length:] == wanted.tobytes()
    service = Service()
    service.swap(Served(model))
    server = GrpcServer(service, ServeSettings(grpc_port=0))
    try:
        with triton_grpc.InferenceServerClient(f"127.0.0.1:{server.port}") as remote:
            given = [triton_grpc.InferInput(n, v.shape, t) for n, (v, t) in arrays.items()]
            for tensor, (values, _) in zip(given, arrays.values(), strict=True):
                tensor.set_data_from_numpy(values)
            result = remote.infer("tabular", given)
            assert result.as_numpy("set").tolist() == wanted.tolist()
            faces = remote.get_model_metadata("tabular").outputs
            assert [face.datatype for face in faces] == ["BYTES", "FP32", "BOOL", "BOOL"]
    finally:
        server.stop()


@pytest.mark.parametrize("count", [1, 3, 100])
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_triton_over_http(
    http: triton_http.InferenceServerClient, count: int, binary_in: bool, binary_out: bool
) -> None:
    assert http.is_server_live()
    assert http.is_server_ready()
    assert http.is_model_ready("tabular")
    assert http.get_model_metadata("tabular")["inputs"][0]["datatype"] == "FP64"
    arrays = arrays_of(count)
    inputs = []
    for name, (values, datatype) in arrays.items():
        item = triton_http.InferInput(name, list(values.shape), datatype)
        item.set_data_from_numpy(values, binary_data=binary_in)
        inputs.append(item)
    names = ("prediction", "probabilities")
    outputs = [triton_http.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    result = http.infer("tabular", inputs, outputs=outputs, request_id="né-1")
    same(result, arrays)
    told = result.get_response()
    assert told["id"] == "né-1"
    assert len(told["parameters"]["prediction_id"]) == 36
    every = http.infer("tabular", inputs)  # binary_data_output
    same(every, arrays)


@pytest.mark.parametrize("count", [1, 3, 100])
def test_triton_over_grpc(remote: triton_grpc.InferenceServerClient, count: int) -> None:
    assert remote.is_server_live()
    assert remote.is_server_ready()
    assert remote.is_model_ready("tabular")
    assert remote.get_server_metadata().name == "drivetrain"
    metadata = remote.get_model_metadata("tabular")
    assert [item.name for item in metadata.inputs] == list(MODEL.contract.names)
    assert metadata.outputs[1].shape == [-1, 3]
    arrays = arrays_of(count)
    inputs = []
    for name, (values, datatype) in arrays.items():
        item = triton_grpc.InferInput(name, list(values.shape), datatype)
        item.set_data_from_numpy(values)
        inputs.append(item)
    result = remote.infer("tabular", inputs, request_id="7")
    same(result, arrays)
    response = result.get_response()
    assert response.id == "7"
    assert len(response.parameters["prediction_id"].string_param) == 36
    only = [triton_grpc.InferRequestedOutput("probabilities")]
    assert remote.infer("tabular", inputs, outputs=only).as_numpy("prediction") is None
    for name, version in (("other", ""), ("tabular", "0")):
        with pytest.raises(InferenceServerException) as refusal:
            remote.infer(name, inputs, model_version=version)
        assert refusal.value.status() == "StatusCode.NOT_FOUND"


def test_the_messages_have_the_field_numbers_of_the_client() -> None:
    ours = messages()
    for name, kind in ours.items():
        theirs = getattr(service_pb2, name, None)
        if theirs is None:  # Triton nests it
            theirs = (
                getattr(service_pb2.ModelInferRequest, name, None)
                or getattr(service_pb2.ModelMetadataResponse, name, None)
                or getattr(service_pb2.ModelInferResponse, name)
            )
        known = {field.name: field for field in theirs.DESCRIPTOR.fields}
        for field in kind.DESCRIPTOR.fields:
            if (name, field.name) == ("ModelMetadataResponse", "properties"):
                continue  # not in Triton's copy of the protocol
            other = known[field.name]
            assert (field.number, field.type) == (other.number, other.type), (name, field.name)


def call(server: GrpcServer, request: Any) -> Any:
    """Send a request that no client would build."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        kinds = messages()
        method = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=lambda given: (
                given if isinstance(given, bytes) else given.SerializeToString()
            ),
            response_deserializer=kinds["ModelInferResponse"].FromString,
        )
        return method(request, timeout=20)


def request_of(count: int = 2, *, raw: bool = False) -> Any:
    kinds = messages()
    request = kinds["ModelInferRequest"](model_name="tabular")
    fields = {"FP64": "fp64_contents", "FP32": "fp32_contents", "BOOL": "bool_contents"}
    for name, (values, datatype) in arrays_of(count).items():
        item = request.inputs.add(name=name, datatype=datatype, shape=values.shape)
        cells = values.ravel().tolist()
        if datatype == "BYTES":
            cells = [text.encode() for text in cells]
        if raw:
            size = [struct.pack("<I", len(c)) + c for c in cells] if datatype == "BYTES" else []
            request.raw_input_contents.append(b"".join(size) or values.tobytes())
        else:
            getattr(item.contents, fields.get(datatype, "bytes_contents")).extend(cells)
    return request


def test_typed_contents_are_answered_in_typed_contents(grpc_server: GrpcServer) -> None:
    response = call(grpc_server, request_of(3))
    wanted = expected(arrays_of(3))
    prediction, probabilities = response.outputs
    labels = [text.decode() for text in prediction.contents.bytes_contents]
    assert labels == wanted["prediction"].tolist()
    assert list(probabilities.contents.fp32_contents) == wanted["probabilities"].ravel().tolist()
    assert not response.raw_output_contents


def _both(request: Any) -> None:
    request.inputs[0].contents.fp64_contents.append(1.0)


def _short(request: Any) -> None:
    request.raw_input_contents[0] = request.raw_input_contents[0][:-1]


def _past_the_end(request: Any) -> None:
    request.raw_input_contents[3] = struct.pack("<I", 2**31) + b"a"


def _too_few(request: Any) -> None:
    del request.raw_input_contents[-1]


def _large_shape(request: Any) -> None:
    request.inputs[0].shape[:] = [2**60, 2**60]


def _negative(request: Any) -> None:
    request.inputs[0].shape[:] = [-2]


def _twice(request: Any) -> None:
    request.outputs.add(name="prediction")
    request.outputs.add(name="prediction")


def _no_text(request: Any) -> None:
    request.raw_input_contents[3] = struct.pack("<I", 1) + b"\xff" + struct.pack("<I", 0)


@pytest.mark.parametrize(
    "spoil", [_both, _short, _past_the_end, _too_few, _large_shape, _negative, _twice, _no_text]
)
def test_a_spoilt_raw_request_is_an_invalid_argument(grpc_server: GrpcServer, spoil: Any) -> None:
    request = request_of(raw=True)
    assert call(grpc_server, request).outputs
    spoil(request)
    with pytest.raises(grpc.RpcError) as refusal:
        call(grpc_server, request)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "[DT" in refusal.value.details()


def test_contents_of_another_type_are_an_invalid_argument(grpc_server: GrpcServer) -> None:
    request = request_of()
    request.inputs[0].datatype = "INT64"
    with pytest.raises(grpc.RpcError) as refusal:
        call(grpc_server, request)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_bytes_that_are_no_message_or_too_many_are_refused(
    grpc_server: GrpcServer,
) -> None:
    with pytest.raises(grpc.RpcError):
        call(grpc_server, b"\xff" * 50)
    with pytest.raises(grpc.RpcError) as refusal:
        call(grpc_server, b"\0" * 200_000)
    assert refusal.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    nested = b"\x2a" + bytes([120]) + b"\x2a" * 120  # unknown and nested fields
    with pytest.raises(grpc.RpcError):
        call(grpc_server, nested)
    assert call(grpc_server, request_of()).outputs  # and the server lives on


def test_a_bad_cell_is_named_and_not_shown(grpc_server: GrpcServer) -> None:
    request = request_of()
    request.inputs[5].contents.bytes_contents[1] = b"s3cret"
    with pytest.raises(grpc.RpcError) as refusal:
        call(grpc_server, request)
    assert "column 'since', row 1" in refusal.value.details()
    assert "s3cret" not in refusal.value.details()


# --- the binary extension over HTTP, sent by hand ---------------------------------------------


@pytest.fixture
def client() -> Iterator[AsgiClient]:
    with serving(protocol) as opened:
        yield opened


def binary_body(count: int = 2, **changed: Any) -> tuple[dict[str, Any], bytes]:
    head: dict[str, Any] = {"inputs": []}
    tails = []
    for name, (values, datatype) in arrays_of(count).items():
        raw = values.tobytes()
        if datatype == "BYTES":
            texts = [text.encode() for text in values.tolist()]
            raw = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        head["inputs"].append(
            {"name": name, "shape": values.shape, "datatype": datatype,
             "parameters": {"binary_data_size": len(raw)}}
        )  # fmt: skip
        tails.append(raw)
    return head, b"".join(tails)


def infer(client: AsgiClient, head: Any, tail: bytes, length: str | None = None) -> Response:
    text = msgspec.json.encode(head)
    headers = {"content-type": "application/octet-stream"}
    length = str(len(text)) if length is None else length
    if length:
        headers["inference-header-content-length"] = length
    return client.ask("POST", PATH, text + tail, headers=headers)


def test_binary_and_json_tensors_may_be_mixed(client: AsgiClient) -> None:
    head, tail = binary_body()
    assert infer(client, head, tail).status == 200
    age = head["inputs"][0]
    values = np.frombuffer(tail[:16]).tolist()
    del age["parameters"]
    age["data"] = values
    assert infer(client, head, tail[16:]).status == 200


@pytest.mark.parametrize("length", ["99999999999", "-1", "abc", "+5", "0x5", "1e2", " ", "٣", ""])
def test_a_head_of_no_length_is_400(client: AsgiClient, length: str) -> None:
    head, tail = binary_body()
    if not length.isascii():
        length = "\u00b2"  # a digit to Python, none to HTTP
    reply = infer(client, head, tail, length=length)
    assert reply.status == 400
    line_of(reply)


@pytest.mark.parametrize(
    "change",
    [
        {"binary_data_size": 17}, {"binary_data_size": 15}, {"binary_data_size": 0},
        {"binary_data_size": -1}, {"binary_data_size": 2**62}, {"binary_data_size": "16"},
        {"binary_data_size": 16.0}, {"binary_data_size": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_size_that_lies_is_400(client: AsgiClient, change: dict[str, Any]) -> None:
    head, tail = binary_body()
    head["inputs"][0]["parameters"] = change
    assert infer(client, head, tail).status == 400


def test_bytes_too_many_or_too_few_are_400(client: AsgiClient) -> None:
    head, tail = binary_body()
    for other in (tail + b"\0", tail[:-1], b""):
        assert infer(client, head, other).status == 400


def test_both_data_and_bytes_are_400(client: AsgiClient) -> None:
    head, tail = binary_body()
    head["inputs"][0]["data"] = [1.0, 2.0]
    reply = infer(client, head, tail)
    assert "expected either data or binary_data_size, got both" in line_of(reply)


def test_neither_data_nor_bytes_are_400(client: AsgiClient) -> None:
    head, tail = binary_body()
    del head["inputs"][-1]["parameters"]
    assert infer(client, head, tail[:-32]).status == 400


def test_a_body_that_is_one_raw_tensor_is_the_only_input() -> None:
    class Single(TabularModel):
        def __init__(self, column: Column) -> None:
            super().__init__()
            self.contract = Contract(columns=(column,), target=self.contract.target)
            self._admission = type(self._admission)(self.contract)

        def run(self, columns: Any) -> Any:
            count = len(next(iter(columns.values())))
            full = {column.name: MODEL.admit(MODEL.rows(count)).columns[column.name]
                    for column in MODEL.contract.columns}  # fmt: skip
            return super().run(full | columns)

    for column, body in (
        (Column(name="age", kind="number"), np.array([1.0, 2.0]).tobytes()),
        (Column(name="job", kind="category"), b"\x01\0\0\0a\x02\0\0\0bc"),
        (Column(name="size", kind="vector", width=2), np.ones(4).tobytes()),
    ):
        with serving(protocol, Single(column)) as client:
            headers = {"inference-header-content-length": "0"}
            reply = client.ask("POST", PATH, body, headers=headers)
            assert reply.status == 200, reply.body
            size = int(reply.headers["inference-header-content-length"])
            assert msgspec.json.decode(reply.body[:size])["outputs"][0]["shape"] == [2]
            assert client.ask("POST", PATH, body + b"\1", headers=headers).status == 400
    with serving(protocol) as client:
        reply = client.ask("POST", PATH, b"1", headers={"inference-header-content-length": "0"})
        assert "the 7 inputs of the model" in line_of(reply)


@pytest.mark.parametrize(
    ("datatype", "raw"),
    [
        ("FP16", np.array([1, 2], np.float16).tobytes()), ("INT8", b"\1\2"), ("UINT8", b"\1\2"),
        ("INT16", b"\1\0\2\0"), ("UINT32", b"\1\0\0\0\2\0\0\0"),
        ("UINT64", np.array([1, 2], np.uint64).tobytes()), ("BOOL", b"\1\0"),
    ],
)  # fmt: skip
def test_every_datatype_has_its_bytes(client: AsgiClient, datatype: str, raw: bytes) -> None:
    head, tail = binary_body()
    head["inputs"][0] |= {"datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
    assert infer(client, head, raw + tail[16:]).status == 200
    assert infer(client, head, b"\x07" + raw[1:] + tail[16:]).status == (
        400 if datatype == "BOOL" else 200
    )
