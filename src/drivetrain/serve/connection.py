"""One connection: uvicorn's parser with bounds on what a client may send, how slowly, and when.

uvicorn waits for ever for a request to arrive and buffers headers without end. Here the request
line and headers are bounded in size and number (431), and head and body each in time (a client
that stays silent is disconnected, one that stalls within a body gets 408). A request for which the
worker has no place is refused here, before a task or anything else is made for it. uvicorn reads on
after each answer, whatever waits in line on the same connection, and lets a timer hold a connection
that was reset; here nothing is read while a request stands in line, and what is gone is let go.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sized
from time import perf_counter
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from drivetrain.core.errors import RequestError
from drivetrain.serve.app import App, Exchange
from drivetrain.serve.payload import write_json
from drivetrain.serve.protocol import Reply
from drivetrain.serve.settings import ServeSettings

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class BoundedConnection(HttpToolsProtocol):
    """Base of a connection class; :func:`bounded` gives it its settings."""

    settings: ServeSettings
    served: App

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._in_head = True  # between the first byte awaited and the end of the headers
        self._in_request = True  # until the last byte of the body
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._parts: list[bytes] | None = None  # body of a request to be answered at its end
        self._lined_up_s: float | None = None  # since when a whole request waits for its turn
        self._idle_since_s: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._pipelines = False  # has sent a request before the last one was answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self._await(self.settings.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._lined_up_s is not None:  # nobody waits for its answer any more
            self._lined_up_s = None
            self.served.admission.queued -= 1
        super().connection_lost(exc)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._unset_keepalive_if_required()
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        self._idle_since_s = None
        if (self._in_head or not self._in_request) and (b"pgrade" in data or b"PGRADE" in data):
            data = _without_upgrade(data)
        super().data_received(data)
        if not self._in_request:
            if self._deadline is not None:
                self._stop_waiting()
        elif self._in_head and self._head_bytes > self.settings.max_header_bytes:
            self._write_and_close(_too_many("more bytes"))
        elif self._deadline is None:
            timeouts = self.settings.header_timeout_s, self.settings.body_timeout_s
            self._await(timeouts[not self._in_head])

    def on_message_begin(self) -> None:
        if self._lined_up_s is not None:
            self._pipelines = True
            self._answer_lined_up()  # what it needs is overwritten by the next request
        self._in_request = self._in_head = True
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()  # the body has a time of its own
        error = self._refused_head() if self._head_bytes > 2048 else None
        if error is None and self.served.admission.is_full and self._can_shed():
            self._shed()
            return
        if error is None and self._is_simple():
            self._parts = []
            return
        if error is None:
            self._make_task()
            return
        served, self.app = self.app, _refusal(error)
        try:
            self._make_task()
        finally:
            self.app = served

    def _make_task(self) -> None:
        """Hand a request whose headers are read to ASGI, whose scope is made only here."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if app is self.served and cycle.scope["method"] == "POST":
            cycle.scope["state"]["arrived_s"] = perf_counter()
            self.served.admission.queued += 1
        super()._start_asgi_task(cycle, app)

    def _can_shed(self) -> bool:
        """Whether the request asks for work, and no answer stands before its own."""
        is_next = self.cycle is None or self.cycle.response_complete
        return is_next and self.parser.get_method() == b"POST"

    def _shed(self) -> None:
        """Answer 503 at once; keep the connection if the body that comes is small."""
        self.cycle = _SHED  # type: ignore[assignment]
        reply = self.served.refusal(self.url)
        pause_s = self.served.admission.refuse()
        if self.served.service.is_leaving or not self._has_small_body():
            self.transport.write(reply.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
            self.transport.close()
            return
        self.transport.write(reply)
        self._keep_alive()
        if pause_s:
            self.flow.pause_reading()
            self.loop.call_later(pause_s, self.flow.resume_reading)

    def _has_small_body(self) -> bool:
        if self.expect_100_continue or not self.parser.should_keep_alive():
            return False
        for name, value in self.headers:
            if name == b"content-length":
                return len(value) < 6
        return False

    def _is_simple(self) -> bool:
        """Whether it can be answered when its last byte is there, without a task of its own.

        So it is for a small body of known length after which the connection stays open, if no
        answer stands before its own.
        """
        if not self._can_shed() or self.expect_100_continue or self.flow.write_paused:
            return False
        if not self.parser.should_keep_alive() or self.parser.should_upgrade():
            return False
        if not self.url.startswith(b"/") or b"#" in self.url:
            return False
        for name, value in self.headers:
            if name == b"content-length":
                return len(value) < 8 and int(value) <= self.settings.inline_bytes
        return False

    def on_body(self, body: bytes) -> None:
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        self._in_request = False
        self._head_bytes = 0
        if self._parts is None:
            super().on_message_complete()
        elif self._pipelines:
            self._give_task()
            super().on_message_complete()
        else:
            self._lined_up_s = lined_up_s = perf_counter()
            self.served.admission.queued += 1
            self.served.admission.line_up(lambda: self._at_turn(lined_up_s))

    def _at_turn(self, lined_up_s: float) -> None:
        # else it was answered before its turn, or its client has gone
        if self._lined_up_s == lined_up_s and not self.transport.is_closing():
            self._begin(lined_up_s)

    def _answer_lined_up(self) -> None:
        if self._lined_up_s is not None:
            self._begin(self._lined_up_s)
            self.served.finish()

    def _give_task(self) -> None:
        """Let a request wait for its turn, or for its body, in a task of its own."""
        parts, self._parts = self._parts or [], None
        self._make_task()
        for part in parts:
            super().on_body(part)

    def _begin(self, arrived_s: float) -> None:
        self._lined_up_s = None
        self.served.admission.queued -= 1
        parts = self._parts or []
        path = self.url.partition(b"?")[0]
        exchange = Exchange("POST", path, self.headers, self.client, arrived_s)
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if not self.served.begin(exchange, body, self._write):
            self._give_task()
            super().on_message_complete()

    def _write(self, reply: Reply, headers: list[tuple[bytes, bytes]]) -> None:
        self._parts = None
        lines = [STATUS_LINE[reply.status]]
        for name, value in (*self.server_state.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
        lines += (b"\r\n", reply.body)
        self.transport.write(b"".join(lines))
        self.server_state.total_requests += 1
        if self.served.service.is_leaving:
            self.transport.close()
            return
        self._keep_alive()

    def _keep_alive(self) -> None:
        """Close the connection if it idles too long; no timer is made for each request."""
        self._idle_since_s = perf_counter()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._check_idle)

    def _check_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since_s is None:  # busy: the timer is set again with its next answer
            return
        left_s = self._idle_since_s + self.timeout_keep_alive - perf_counter()
        if left_s > 0:
            self._idle_timer = self.loop.call_later(left_s, self._check_idle)
        elif not self.transport.is_closing():
            self.transport.close()

    def shutdown(self) -> None:
        if self._lined_up_s is not None:  # its headers were read: it is answered
            self._answer_lined_up()
        elif self._parts is not None:
            self._give_task()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._write_and_close(
            RequestError(
                where="the request",
                expected="valid HTTP/1.1",
                got="something else",
                remedy="Correct the client.",
                code="DT2BF",
            )
        )

    def _refused_head(self) -> RequestError | None:
        if len(self.headers) > self.settings.max_headers:
            return _too_many(f"{len(self.headers)} headers")
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return _too_many("more bytes") if size > self.settings.max_header_bytes else None

    def _await(self, timeout_s: float) -> None:
        self._deadline = self.loop.call_later(timeout_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        is_waited_for = self.cycle is not None and not self.cycle.response_started
        if self._in_head or (self._parts is None and not is_waited_for):
            self.transport.close()
            return
        self._write_and_close(
            RequestError(
                status=408,
                where="the body",
                expected=f"to be whole within {self.settings.body_timeout_s} s",
                got="a part of it",
                remedy="Send it faster or in smaller requests.",
                code="DT273",
            )
        )

    def _write_and_close(self, error: RequestError) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = write_json({"error": error.private_line()})
            head = (
                b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[error.http_status] + head % len(body) + body)
        self.transport.close()


class _Flow(FlowControl):
    """Reads no more from a connection while a request of its own waits in line."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class _ShedCycle:
    """Stands for a request that is answered already: its body is read and dropped."""

    response_started = response_complete = keep_alive = True
    disconnected = False

    def __init__(self) -> None:
        self.message_event = asyncio.Event()


_SHED = _ShedCycle()


def bounded(app: App) -> type[BoundedConnection]:
    """Return the connection class of an application, which keeps its settings' bounds."""

    class Bounded(BoundedConnection):
        settings = app.settings
        served = app

    return Bounded


def _without_upgrade(data: bytes) -> bytes:
    """Hide an Upgrade header, which a server may ignore, from a parser that then drops the body.

    Java's HTTP client offers h2c this way with every request. Both names have seven letters.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nIgnored:", head) + end + rest


def _refusal(error: RequestError) -> Any:
    body = write_json({"error": error.private_line()})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refuse


def _too_many(got: str) -> RequestError:
    return RequestError(
        status=431,
        where="the headers",
        expected="fewer of them, and shorter",
        got=got,
        remedy="Send fewer or shorter headers, or a shorter path.",
        code="DT274",
    )
