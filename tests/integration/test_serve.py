"""A served bundle, asked by real clients over real sockets."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import tritonclient.http as triton

from drivetrain.core.errors import BundleError, ResourceError
from drivetrain.runtime.model import Model
from drivetrain.serve.listener import listen
from drivetrain.serve.protocol import PROTOCOLS
from drivetrain.serve.settings import ServeSettings
from drivetrain.serve.supervisor import run
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle


class Served:
    """A server process and where it listens."""

    def __init__(self, bundle: Path, **settings: Any) -> None:
        code = (
            "import sys, json; from drivetrain.lifecycle.serve import serve;"
            "serve(sys.argv[1], port=0, **json.loads(sys.argv[2]))"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(bundle), msgspec.json.encode(settings).decode()],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("drivetrain serves at http://127.0.0.1:"), line
        self.url = line.split()[-1]
        self.host, port = self.url.removeprefix("http://").split(":")
        self.port = int(port)

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=10)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("serve") / "tabular.bundle"
    write_tabular_bundle(path)
    return path


@pytest.fixture(scope="module")
def served(bundle: Path) -> Iterator[Served]:
    server = Served(
        bundle, body_timeout_s=0.5, header_timeout_s=0.5, max_body_bytes=500_000, drain_delay_s=0
    )
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    return Model.load(bundle, threads=1)


def as_text(label: str | bytes) -> str:
    return label.decode() if isinstance(label, bytes) else label


def received(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("name", PROTOCOLS.names())
def test_served_answers_equal_those_in_process(name: str, served: Served, model: Model) -> None:
    protocol = PROTOCOLS.load(name)
    for count in (1, 7, 900):
        rows = tabular_rows(model.contract, count, seed=count)
        expected = model.predict_proba(rows)
        call = protocol.call(model.contract, "tabular", rows, "probabilities")
        headers = {"content-type": call.media}
        reply = httpx.post(served.url + call.path, content=call.body, headers=headers)
        assert reply.status_code == 200
        found = np.array(protocol.read(reply.content, "probabilities"), dtype=np.float32)
        assert np.array_equal(found, expected)


def test_nvidias_client_predicts(served: Served, model: Model) -> None:
    client = triton.InferenceServerClient(f"{served.host}:{served.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tabular")
    assert client.get_server_metadata()["name"] == "drivetrain"
    metadata = client.get_model_metadata("tabular")
    rows = [row for row in tabular_rows(model.contract, 30) if None not in row.values()]
    inputs = []
    for face in metadata["inputs"]:
        kind = {"FP64": np.float64, "BOOL": np.bool_, "BYTES": np.object_}[face["datatype"]]
        tensor = triton.InferInput(face["name"], [len(rows)], face["datatype"])
        cells = np.array([row[face["name"]] for row in rows], dtype=kind)
        tensor.set_data_from_numpy(cells, binary_data=False)
        inputs.append(tensor)
    wanted = [
        triton.InferRequestedOutput(face["name"], binary_data=False) for face in metadata["outputs"]
    ]
    version = metadata["versions"][0]
    for outputs in (wanted, None):
        answer = client.infer("tabular", inputs, version, outputs=outputs, request_id="né-1")
        assert answer.get_response()["id"] == "né-1"
        assert np.array_equal(answer.as_numpy("probabilities"), model.predict_proba(rows))
        labels = [as_text(label) for label in answer.as_numpy("prediction")]  # bytes, if binary
        assert labels == model.predict(rows).tolist()
    with pytest.raises(triton.InferenceServerException, match="expected 'tabular'"):
        client.infer("another", inputs)
    client.close()


def test_curl_predicts(served: Served, model: Model) -> None:
    row = tabular_rows(model.contract, 1)[0]
    body = msgspec.json.encode({"dataframe_records": [row]}).decode()
    command = ["curl", "-sS", "-f", "-H", "Content-Type: application/json", "-d", body]
    done = subprocess.run([*command, served.url + "/invocations"], capture_output=True, check=True)
    assert msgspec.json.decode(done.stdout) == {"predictions": model.predict(row).tolist()}


def test_a_connection_lives_on_after_a_refused_request(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        for _ in range(2):
            assert client.get("/no/such/path").status_code == 404
            assert client.delete("/invocations").status_code == 405
            assert client.post("/invocations", content=b"{").status_code == 400
            assert client.post("/invocations", content=b"7" * 500_001).status_code == 413
            assert client.get("/ping").status_code == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n12345",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_invalid_http_is_400_and_closes(served: Served, request_bytes: bytes) -> None:
    with served.connect() as connection:
        connection.sendall(request_bytes)
        reply = received(connection)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert reply.count(b"HTTP/1.1 ") == 1
    assert b"[DT" in reply


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"X-%d: a\r\n" % number for number in range(700)),
        b"X-Long: " + b"a" * 20_000 + b"\r\n",
    ],
    ids=["many", "long"],
)
def test_headers_without_end_are_431(served: Served, head: bytes) -> None:
    with served.connect() as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n")
        assert received(connection).startswith(b"HTTP/1.1 431 ")
    with served.connect() as connection:  # never ended
        connection.sendall(b"GET /ping HTTP/1.1\r\nHost: a\r\n" + head)
        reply = received(connection)
    assert reply == b"" or reply.startswith(b"HTTP/1.1 431 ")


def test_a_silent_client_is_disconnected(served: Served) -> None:
    for beginning in (b"", b"GET /ping HT", b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\nGET"):
        with served.connect() as connection:
            connection.sendall(beginning)
            reply = received(connection)
        assert reply.count(b"HTTP/1.1 ") == beginning.count(b"\r\n\r\n")


def test_a_body_that_stalls_is_408(served: Served) -> None:
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    with served.connect() as connection:
        connection.sendall(head + b'{"dataframe')
        assert received(connection).startswith(b"HTTP/1.1 408 ")


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    get = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"
    with served.connect() as connection:
        connection.sendall(
            get % (b"/v2/health/live", b"") + get % (b"/v2/health/ready", b"")
            + get % (b"/nothing", b"Connection: close\r\n")
        )  # fmt: skip
        reply = received(connection)
    assert [reply.index(part) for part in (b'"live"', b'"ready"', b"404")] == sorted(
        reply.index(part) for part in (b'"live"', b'"ready"', b"404")
    )


@pytest.mark.parametrize("name", ["Upgrade", "upgrade", "UPGRADE"])
def test_an_offer_to_upgrade_is_ignored(served: Served, model: Model, name: str) -> None:
    row = tabular_rows(model.contract, 1)[0]
    headers = {"Connection": "Upgrade, HTTP2-Settings", name: "h2c", "HTTP2-Settings": "AAEAAEA"}
    with httpx.Client(base_url=served.url) as client:
        for _ in range(2):
            asked = {"dataframe_records": [row]}
            reply = client.post("/invocations", json=asked, headers=headers)
            assert reply.json() == {"predictions": model.predict(row).tolist()}


def test_head_is_answered_without_a_body(served: Served) -> None:
    reply = httpx.head(served.url + "/v2/health/live")
    assert (reply.status_code, reply.content) == (200, b"")
    assert httpx.delete(served.url + "/v2/health/live").headers["allow"] == "GET, HEAD"


def test_large_bodies_in_small_chunks_are_one_body(served: Served, model: Model) -> None:
    rows = tabular_rows(model.contract, 2)
    body = msgspec.json.encode({"dataframe_records": rows})
    pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    with served.connect() as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces)
        reply = received(connection)
    told = msgspec.json.decode(reply.split(b"\r\n\r\n")[1])
    assert told == {"predictions": model.predict(rows).tolist()}


def test_sigterm_finishes_what_has_begun_and_ends_with_status_0(bundle: Path, model: Model) -> None:
    server = Served(bundle, drain_delay_s=1.0)
    rows = tabular_rows(model.contract, 3)
    body = msgspec.json.encode({"dataframe_records": rows})
    head = b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    with server.connect() as begun, httpx.Client(base_url=server.url) as client:
        begun.sendall(head + body[:10])
        assert client.get("/v2/health/ready").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        for _ in range(10_000):
            ready = client.get("/v2/health/ready")
            if ready.status_code != 200:
                break
        assert ready.status_code == 503
        assert ready.headers["connection"] == "close"
        late = client.post("/invocations", content=body)  # accepted while it drains
        assert late.status_code == 200
        server.process.send_signal(signal.SIGTERM)  # a second one changes nothing
        for _ in range(1_000_000):
            try:
                server.connect().close()
            except ConnectionError:
                break
        begun.sendall(body[10:])
        reply = received(begun)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert msgspec.json.decode(reply.split(b"\r\n\r\n")[1]) == msgspec.json.decode(late.content)
    assert server.stop() == 0


def test_a_port_that_is_taken_is_one_line(bundle: Path) -> None:
    with listen(ServeSettings(port=0)) as taken:
        settings = ServeSettings(port=taken.getsockname()[1])
        with pytest.raises(ResourceError, match="address already in use") as caught:
            run(bundle, settings)
    assert caught.value.exit_status == 3
    with pytest.raises(ResourceError):
        listen(ServeSettings(host="no.such.host.invalid"))


def test_a_changed_bundle_is_never_served(bundle: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(bundle, changed)
    with (changed / "model.onnx").open("r+b") as file:
        file.seek(100)
        file.write(b"\0\1\2")
    with pytest.raises(BundleError, match="sealed"):
        run(changed, ServeSettings(port=0))
