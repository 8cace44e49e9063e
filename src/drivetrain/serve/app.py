"""The ASGI application: everything about HTTP that protocols do not know.

For each request: route → media type → body (bounded) → handler → reply. Handlers are plain
functions; small bodies are answered on the event loop itself, where a hop to a thread would cost
more than the answer, and large ones on a few threads. Whatever a handler raises becomes one line
in the protocol's own form, with the status that :mod:`drivetrain.core.errors` gives it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, time_ns
from typing import Any, NamedTuple, TypeAlias

import msgspec

from drivetrain.core.errors import DrivetrainError, InternalError
from drivetrain.serve.access_log import access_line, trace_of
from drivetrain.serve.admission import Admission
from drivetrain.serve.auth import Keys
from drivetrain.serve.head import authorization, media_of, too_large
from drivetrain.serve.metrics import OTHER, Counts, Metrics
from drivetrain.serve.operations import Operations
from drivetrain.serve.page import Page
from drivetrain.serve.payload import write_json
from drivetrain.serve.protocol import (
    PROTOCOLS,
    Predicts,
    Protocol,
    Reply,
    Request,
    Route,
    Steps,
    finish,
)
from drivetrain.serve.routing import RoutingTable
from drivetrain.serve.service import Question, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.serve.tracing import Spans

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_log = logging.getLogger("drivetrain.serve")
_access = logging.getLogger("drivetrain.serve.access")
_RETRY = [(b"retry-after", b"1")]
_CLOSE = [(b"connection", b"close")]
_SAFE = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_OVERLOADED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"content-length: %d\r\n\r\n"
)
_KNOWN_URLS = 64  # whose refusals are remembered


class Exchange:
    """One request, from its headers to its reply."""

    __slots__ = ("began_s", "client", "headers", "method", "path", "protocol", "route")

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        headers: list[tuple[bytes, bytes]],
        client: tuple[str, int] | None,
        began_s: float,
    ) -> None:
        self.began_s = began_s
        self.method = method
        self.path = raw_path.decode("ascii")
        self.headers = headers
        self.client = client
        self.route: Route | None = None
        self.protocol: Protocol | None = None


Done: TypeAlias = Callable[[Reply, "list[tuple[bytes, bytes]]"], None]


class _Begun(NamedTuple):
    exchange: Exchange
    steps: Steps
    question: Question
    done: Done


class Disconnected(Exception):
    """The client went away before its body was whole; there is no one to answer."""


class App:
    """The application of one process.

    Parameters
    ----------
    service
        The model's slot and counters.
    protocols
        What is served; all protocols if not given.
    """

    def __init__(
        self,
        service: Service,
        settings: ServeSettings,
        *,
        protocols: Mapping[str, Protocol] | None = None,
    ) -> None:
        self.service = service
        self.settings = settings
        self.keys = None if settings.keys is None else Keys.read(Path(settings.keys))
        self.spans = Spans(settings.scheme) if settings.otel else None
        self.metrics = Metrics()
        self.others: Callable[[], list[Counts]] = list  # counts of the other workers
        if protocols is None:
            loaded = {**PROTOCOLS.load_all(), "page": Page()}
            operations = Operations(lambda: [self.counts(), *self.others()], loaded)
            protocols = {**loaded, "operations": operations}
        self.routes = RoutingTable(protocols)
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="predict")
        self._media: dict[str, bytes] = {}
        self.admission = Admission(settings.max_in_flight, settings.deadline_s, self.finish)
        self._begun: list[_Begun] = []
        self._refusals: dict[bytes, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other ASGI scopes are refused as the specification asks."""
        if scope["type"] != "http":
            raise NotImplementedError(f"ASGI scope '{scope['type']}'")
        exchange = Exchange(
            scope["method"],
            scope["raw_path"],
            scope["headers"],
            scope.get("client"),
            perf_counter(),
        )
        arrived_s = scope.get("state", {}).get("arrived_s")
        if arrived_s is not None:
            self.admission.queued -= 1
        try:
            route, media, names = self._open(exchange)
            if route.method == "GET":
                reply = route.handler(Request(b"", "", names, exchange.headers), self.service)
            else:
                body = await self._body(receive)
                request = Request(body, media, names, exchange.headers)
                reply = await self._admit(route, request, arrived_s or perf_counter())
        except Disconnected:
            return
        except Exception as error:
            reply = self._failed(exchange, error)
        headers = self._close(exchange, reply)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def begin(self, exchange: Exchange, body: bytes, done: Done) -> bool:
        """Begin a whole POST request whose turn it is; :meth:`finish` ends what has begun.

        ``done`` takes the reply and all its headers, at once or then. False where the route is too
        slow for that.
        """
        try:
            self.admission.check(exchange.began_s)
            route, media, names = self._open(exchange)
            if route.is_slow:
                return False
            request = Request(body, media, names, exchange.headers)
            if isinstance(route.handler, Predicts):
                steps = route.handler.steps(request, self.service)
                self._begun.append(_Begun(exchange, steps, next(steps), done))
                return True
            reply = route.handler(request, self.service)
        except Exception as error:
            reply = self._failed(exchange, error)
        done(reply, self._close(exchange, reply))
        return True

    def finish(self) -> None:
        """Answer all requests that have begun, their rows in one call of the graph."""
        begun, self._begun = self._begun, []
        try:
            answers = self.service.predict_each([each.question for each in begun])
        except Exception as error:
            answers = [error] * len(begun)
        for each, answer in zip(begun, answers, strict=True):
            try:
                if isinstance(answer, Exception):
                    raise answer
                reply = finish(each.steps, answer)
            except Exception as error:
                reply = self._failed(each.exchange, error)
            each.done(reply, self._close(each.exchange, reply))

    def _open(self, exchange: Exchange) -> tuple[Route, str, Mapping[str, str]]:
        """Find the route; check the key and what the headers say of the body."""
        route, exchange.protocol, names = self.routes.find(exchange.method, exchange.path)
        exchange.route = route
        if self.keys is not None and not route.is_open:
            self.keys.check(authorization(exchange.headers), route.scope)
        if route.method == "GET":
            return route, "", names
        return route, media_of(route, exchange.headers, self.settings.max_body_bytes), names

    def _failed(self, exchange: Exchange, error: Exception) -> Reply:
        if not isinstance(error, DrivetrainError):  # a fault of ours: one line for the client
            _log.error("a request failed", exc_info=error)
            return self._refuse(exchange.protocol, _fault())
        reply = self._refuse(exchange.protocol, error)
        more: tuple[tuple[bytes, bytes], ...] = ()
        if reply.status == 405:
            more = ((b"allow", ", ".join(self.routes.allowed(exchange.path)).encode()),)
        elif reply.status == 401:
            more = ((b"www-authenticate", b"Bearer"),)
        return msgspec.structs.replace(reply, headers=more)

    def _close(self, exchange: Exchange, reply: Reply) -> list[tuple[bytes, bytes]]:
        """Count an answered request, write it down where asked; return the reply's headers."""
        seconds = perf_counter() - exchange.began_s
        version = "" if reply.answer is None else reply.answer.version
        route = exchange.route
        if route is None:
            self.metrics.observe(OTHER, OTHER, reply.status, seconds, version)
        else:
            self.metrics.observe(route.pattern, route.method, reply.status, seconds, version)
        headers = self._headers(reply)
        trace = trace_of(exchange.headers)
        if trace is not None:
            headers.append((b"traceparent", trace))
        if self.spans is not None:
            self.spans.add(exchange, reply, ended_ns=time_ns(), seconds=seconds)
        if self.settings.access_log:
            _access.info("%s", access_line(exchange, reply, seconds, trace))
        return headers

    def counts(self) -> Counts:
        """Take all numbers of this worker."""
        admission = self.admission
        counts = self.metrics.counts(
            self.service,
            {
                "requests_in_flight": admission.running,
                "requests_queued": admission.queued,
                "workers_ready": float(self.service.is_ready),
            },
        )
        counts.totals["requests_refused"] = admission.refused
        counts.totals["requests_late"] = admission.late
        return counts

    async def _admit(self, route: Route, request: Request, arrived_s: float) -> Reply:
        """Run a handler when it is its turn: here if the request is small, else on a thread."""
        admission = self.admission
        if admission.is_full:  # a body that came slowly held no place
            raise admission.overloaded()
        admission.running += 1
        if route.is_slow or len(request.body) > self.settings.inline_bytes:
            return await self._on_thread(route, request, arrived_s)
        try:
            if not admission.has_turn():
                await admission.turn(arrived_s)
            return route.handler(request, self.service)
        finally:
            admission.running -= 1

    async def _on_thread(self, route: Route, request: Request, arrived_s: float) -> Reply:
        admission = self.admission
        left_s = arrived_s + admission.deadline_s - perf_counter()

        def handle() -> Reply:
            if perf_counter() - arrived_s > admission.deadline_s:  # nobody waits any more
                raise TimeoutError
            return route.handler(request, self.service)

        def end(_: object) -> None:
            admission.running -= 1  # only now: a thread that is late still works
            job.cancelled() or job.exception()  # read, also where nobody waits for it

        job = asyncio.get_running_loop().run_in_executor(self._threads, handle)
        job.add_done_callback(end)
        try:
            return await asyncio.wait_for(asyncio.shield(job), left_s)
        except TimeoutError as error:
            raise admission.too_late() from error

    def refusal(self, url: bytes) -> bytes:
        """Return the answer to a request to this path that is refused for overload."""
        known = self._refusals.get(url)
        if known is None:
            path = url.partition(b"?")[0].decode("latin-1")
            try:
                _, protocol, _ = self.routes.find("POST", path)
            except DrivetrainError:
                protocol = None
            body = self._line(protocol, self.admission.overloaded())
            known = _OVERLOADED % len(body) + body
            if len(self._refusals) < _KNOWN_URLS:
                self._refusals[url] = known
        self.service.count_error("DT3B2")
        return known

    def close(self) -> None:
        """Let threads end; send the spans that wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self.spans is not None:
            self.spans.close()

    async def _body(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(body) > self.settings.max_body_bytes:
                raise too_large(self.settings.max_body_bytes)
            return body
        parts, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size > self.settings.max_body_bytes:
                raise too_large(self.settings.max_body_bytes)
            parts.append(part)
        return b"".join(parts)

    def _refuse(self, protocol: Protocol | None, error: DrivetrainError) -> Reply:
        self.service.count_error(error.code)
        return Reply(self._line(protocol, error), status=error.http_status)

    def _line(self, protocol: Protocol | None, error: DrivetrainError) -> bytes:
        line = error.line() if self.settings.echo_values else error.private_line()
        if not line.isprintable():  # names of columns come from the client
            line = "".join(char if char.isprintable() else " " for char in line)
        if protocol is None:
            return write_json({"error": line})
        return protocol.error(error.http_status, line)

    def _headers(self, reply: Reply) -> list[tuple[bytes, bytes]]:
        media = self._media.get(reply.media)
        if media is None:
            media = self._media[reply.media] = reply.media.encode("ascii")
        headers = [(b"content-type", media), (b"content-length", b"%d" % len(reply.body)), *_SAFE]
        if reply.answer is not None:
            headers.append((b"x-prediction-id", reply.answer.prediction_id.encode("ascii")))
            headers.append((b"x-model-version", reply.answer.version.encode("ascii")))
        if reply.headers:
            headers += reply.headers
        if reply.status == 503:
            headers += _RETRY
        if self.service.is_leaving:
            headers += _CLOSE
        return headers


def _fault() -> InternalError:
    return InternalError(
        where="the server",
        expected="an answer",
        got="a fault of its own",
        remedy="Its log has the details.",
    )
