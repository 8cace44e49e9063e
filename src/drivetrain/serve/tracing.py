"""A span for each request, sent to an OpenTelemetry collector where that is asked for.

The library is an extra, imported with ``--otel`` only. Where spans go, how many are kept and what
the service is called is set as everywhere in OpenTelemetry, in the environment's ``OTEL_*``
(``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_TRACES_SAMPLER``, ``OTEL_SERVICE_NAME``, …). They leave in
batches from a thread of their own; a collector that is away costs spans, not answers.

A request that is refused for overload before anything is made for it has no span; the metrics count
it.
"""

from __future__ import annotations

import threading
from typing import Protocol

from drivetrain.serve.access_log import Seen, trace_of
from drivetrain.serve.grpc_server import Called
from drivetrain.serve.protocol import Reply, Route
from drivetrain.serve.tracing_library import require_library

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
_HEADERS = (b"traceparent", b"tracestate")
_LONGEST = 512
_LEAVE_S = 2.0  # to send the last spans


class Spans:
    """Makes and sends the spans of one process.

    Parameters
    ----------
    scheme
        What clients use, ``http`` or ``https``.

    Raises
    ------
    MissingLibraryError
        If the extra ``otel`` is not installed.
    """

    def __init__(self, scheme: str) -> None:
        require_library()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        named = OTELResourceDetector().detect()  # what the environment says wins
        resource = Resource.create({SERVICE_NAME: "drivetrain", **named.attributes})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("drivetrain.serve")
        self._read_parent = TraceContextTextMapPropagator().extract
        self._kind = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)
        self._scheme = scheme

    def add(self, request: Traced, reply: Reply, *, ended_ns: int, seconds: float) -> None:
        """Record a request that has been answered; ``ended_ns`` counts from 1970."""
        route = request.route
        method = request.method if request.method in _METHODS else "_OTHER"
        told: dict[str, str | int] = {
            "http.request.method": method,
            "http.response.status_code": reply.status,
            "url.scheme": self._scheme,
            "url.path": request.path.partition("?")[0][:_LONGEST],
        }
        if request.client is not None:
            told["client.address"] = request.client[0]
        if method == "_OTHER":
            told["http.request.method_original"] = request.method[:32]
        if route is not None:
            told["http.route"] = route.pattern
        if reply.answer is not None:
            told["drivetrain.model.version"] = reply.answer.version
            told["drivetrain.prediction.id"] = reply.answer.prediction_id
            told["drivetrain.prediction.rows"] = reply.answer.rows
        if reply.status >= 500:
            told["error.type"] = str(reply.status)
        verb = "HTTP" if method == "_OTHER" else method
        name = verb if route is None else f"{verb} {route.pattern}"
        self._record(name, request.headers, told, ended_ns=ended_ns, seconds=seconds)

    def add_call(self, call: Called) -> None:
        """Record a gRPC call that has been answered."""
        told: dict[str, str | int] = {
            "rpc.system.name": "grpc",
            "rpc.method": call.method,
            "rpc.response.status_code": call.code,
        }
        if call.prediction_id:
            told["drivetrain.model.version"] = call.model_version
            told["drivetrain.prediction.id"] = call.prediction_id
        if call.http_status >= 500:
            told["error.type"] = call.code
        self._record(call.method, call.headers, told, ended_ns=call.ended_ns, seconds=call.seconds)

    def _record(
        self,
        name: str,
        headers: list[tuple[bytes, bytes]],
        told: dict[str, str | int],
        *,
        ended_ns: int,
        seconds: float,
    ) -> None:
        span = self._tracer.start_span(
            name,
            context=self._read_parent(_parent_of(headers)),
            kind=self._kind,
            attributes=told,
            start_time=ended_ns - round(seconds * 1e9),
        )
        if "error.type" in told:
            span.set_status(self._failed)
        span.end(ended_ns)

    def close(self) -> None:
        """Send what waits, then no more; a collector that is away holds nobody up for long."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_LEAVE_S)


class Traced(Seen, Protocol):
    """What a span tells of a request."""

    headers: list[tuple[bytes, bytes]]
    route: Route | None


def _parent_of(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of a valid parent; none of them where it is not."""
    if trace_of(headers) is None:
        return {}
    return {
        name.decode("ascii"): value.decode("latin-1") for name, value in headers if name in _HEADERS
    }
