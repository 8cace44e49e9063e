"""Spans as a collector gets them, from a real server by OTLP over HTTP."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from drivetrain.serve.grpc_messages import SERVICE, messages
from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

pytestmark = pytest.mark.xdist_group("serving processes")

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Receives spans, by their names, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}
        self.service: set[str] = set()
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                received.take(self.path, body)
                reply = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.service.add(values(group.resource.attributes)["service.name"])
            for scope in group.scope_spans:
                self.spans |= {span.name: span for span in scope.spans}


def values(attributes: Any) -> dict[str, Any]:
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value") or "") for item in attributes
    }


def call_over_grpc(port: int, parent: dict[str, str]) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        asked = messages()["ModelInferRequest"](model_name="none").SerializeToString()
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
            call(asked, metadata=tuple(parent.items()))


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_each_request_is_a_span_below_its_callers(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "income")
    contract = write_tabular_bundle(tmp_path / "tabular.bundle").contract
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ServerProcess(
        tmp_path / "tabular.bundle", otel=True, grpc_port=port, drain_delay_s=0.0
    )
    parent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    call_over_grpc(port, parent)
    asked = {"dataframe_records": tabular_rows(contract, 3)}
    reply = httpx.post(f"{server.url}/invocations?key=secret", json=asked, headers=parent)
    httpx.get(f"{server.url}/v2/models/none/ready", headers={"traceparent": "00-no-no-01"})
    httpx.get(f"{server.url}/nothing/here")
    httpx.request("BREW", f"{server.url}/ping")
    assert server.stop() == 0  # what waited has been sent

    assert collector.service == {"income"}
    span = collector.spans["POST /invocations"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.trace_state == "vendor=1"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 10e9
    assert values(span.attributes) == {
        "client.address": "127.0.0.1",
        "drivetrain.model.version": reply.headers["x-model-version"],
        "drivetrain.prediction.id": reply.headers["x-prediction-id"],
        "drivetrain.prediction.rows": 3,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/invocations",
        "url.path": "/invocations",
        "url.scheme": "http",
    }
    call = collector.spans["inference.GRPCInferenceService/ModelInfer"]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT)
    assert values(call.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": "inference.GRPCInferenceService/ModelInfer",
        "rpc.response.status_code": "NOT_FOUND",
    }
    unknown = collector.spans["GET /v2/models/{model}/ready"]
    assert unknown.parent_span_id == b""  # its caller was none
    assert values(unknown.attributes)["http.response.status_code"] == 404
    assert unknown.status.code == Status.STATUS_CODE_UNSET  # the client's mistake
    assert "http.route" not in values(collector.spans["GET"].attributes)


def test_a_request_that_is_not_to_be_sampled_is_not_sent(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    write_tabular_bundle(tmp_path / "tabular.bundle")
    server = ServerProcess(tmp_path / "tabular.bundle", otel=True, drain_delay_s=0.0)
    httpx.get(f"{server.url}/ping", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    httpx.get(f"{server.url}/version")
    assert server.stop() == 0
    assert list(collector.spans) == ["GET /version"]
    assert collector.service == {"drivetrain"}


def test_a_collector_that_is_away_costs_spans_but_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tabular_bundle(tmp_path / "tabular.bundle")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        server = ServerProcess(tmp_path / "tabular.bundle", otel=True, drain_delay_s=0.0)
        assert httpx.get(f"{server.url}/ping").status_code == 200
        assert server.stop() == 0


def test_the_access_log_is_json_with_the_trace(tmp_path: Path) -> None:
    write_tabular_bundle(tmp_path / "tabular.bundle")
    server = ServerProcess(tmp_path / "tabular.bundle", access_log=True, drain_delay_s=0.0)
    parent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    httpx.get(f"{server.url}/ping?key=secret", headers=parent)
    line = server.wait_for_line('"event":"request"')
    assert server.stop() == 0
    told = msgspec.json.decode(line)
    assert (told["path"], told["status"], told["trace_id"]) == ("/ping", 200, TRACE)


def test_without_the_library_it_is_one_line_and_nothing_starts(tmp_path: Path) -> None:
    write_tabular_bundle(tmp_path / "tabular.bundle")
    code = (
        "import sys; sys.modules['opentelemetry.exporter'] = None;"  # as where it is not installed
        "from drivetrain.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["serve", str(tmp_path / "tabular.bundle"), "--port", "0", "--otel"]
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()
    assert "pip install 'drivetrain[otel]'" in line


def test_without_the_option_the_library_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from drivetrain.serve.app import App;"
        "from drivetrain.serve.service import Service;"
        "from drivetrain.serve.settings import ServeSettings;"
        "App(Service(), ServeSettings());"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
