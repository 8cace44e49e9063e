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
from typing import Any, TypeAlias

from drivetrain.core.errors import DrivetrainError, InternalError, RequestError
from drivetrain.serve.payload import write_json
from drivetrain.serve.protocol import JSON, PROTOCOLS, Protocol, Reply, Request, Route
from drivetrain.serve.routing import RoutingTable
from drivetrain.serve.service import Service
from drivetrain.serve.settings import ServeSettings

Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_log = logging.getLogger("drivetrain.serve")
_RETRY = [(b"retry-after", b"1")]
_CLOSE = [(b"connection", b"close")]


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
        self.routes = RoutingTable(PROTOCOLS.load_all() if protocols is None else protocols)
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="predict")
        self._media: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; other ASGI scopes are refused as the specification asks."""
        if scope["type"] != "http":
            raise NotImplementedError(f"ASGI scope '{scope['type']}'")
        protocol: Protocol | None = None
        path = scope["raw_path"].decode("ascii")
        headers: list[tuple[bytes, bytes]] = []
        try:
            found = self.routes.find(scope["method"], path)
            route, protocol, names = found
            if route.method == "POST":
                media = self._check_head(route, scope["headers"])
                body = await self._body(receive)
                request = Request(body, media, names, scope["headers"])
            else:
                body = b""
                request = Request(body, "", names, scope["headers"])
            if len(body) <= self.settings.inline_bytes:
                reply = route.handler(request, self.service)
            else:
                loop = asyncio.get_running_loop()
                reply = await loop.run_in_executor(
                    self._threads, route.handler, request, self.service
                )
        except Disconnected:
            return
        except DrivetrainError as error:
            reply = self._refuse(protocol, error)
            if reply.status == 405:
                headers.append((b"allow", ", ".join(self.routes.allowed(path)).encode()))
        except Exception:  # a fault of ours: the client gets one line, the log the rest
            _log.exception("a request failed")
            reply = self._refuse(protocol, _fault())
        await self._send(reply, headers, send)

    def close(self) -> None:
        """Let threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check_head(self, route: Route, headers: list[tuple[bytes, bytes]]) -> str:
        """Return the media type of the body; RequestError for one that is refused unread."""
        media = route.media[0]
        for name, value in headers:
            if name == b"content-type":
                media = _JSON_TYPES.get(value) or _media_of(value)
                if media not in route.media:
                    raise _wrong_media(route)
            elif name == b"content-length":
                if len(value) > 19 or int(value) > self.settings.max_body_bytes:
                    raise self._too_large()
            elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                raise _encoded()
        return media

    async def _body(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(body) > self.settings.max_body_bytes:
                raise self._too_large()
            return body
        parts, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size > self.settings.max_body_bytes:
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _refuse(self, protocol: Protocol | None, error: DrivetrainError) -> Reply:
        self.service.count_error(error.code)
        line = error.line() if self.settings.echo_values else error.private_line()
        if not line.isprintable():  # names of columns come from the client
            line = "".join(char if char.isprintable() else " " for char in line)
        if protocol is None:
            return Reply(write_json({"error": line}), status=error.http_status)
        return Reply(protocol.error(error.http_status, line), status=error.http_status)

    async def _send(self, reply: Reply, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        media = self._media.get(reply.media)
        if media is None:
            media = self._media[reply.media] = reply.media.encode("ascii")
        headers.append((b"content-type", media))
        headers.append((b"content-length", b"%d" % len(reply.body)))
        if reply.answer is not None:
            headers.append((b"x-prediction-id", reply.answer.prediction_id.encode("ascii")))
            headers.append((b"x-model-version", reply.answer.version.encode("ascii")))
        headers += reply.headers
        if reply.status == 503:
            headers += _RETRY
        if self.service.is_leaving:
            headers += _CLOSE
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _too_large(self) -> RequestError:
        return RequestError(
            status=413,
            where="the body",
            expected=f"at most {self.settings.max_body_bytes} bytes",
            got="more",
            remedy="Send the rows in several requests.",
            code="DT269",
        )


_JSON_TYPES = {b"application/json": JSON, b"application/json; charset=utf-8": JSON}


def _media_of(value: bytes) -> str:
    """Return a media type in lower case; '' for one in another charset than UTF-8."""
    media, *parameters = value.decode("latin-1").lower().split(";")
    for parameter in parameters:
        if parameter.strip() not in ("charset=utf-8", 'charset="utf-8"', ""):
            return ""
    return media.strip()


def _wrong_media(route: Route) -> RequestError:
    return RequestError(
        status=415,
        where="header 'Content-Type'",
        expected=" or ".join(route.media) + ", charset utf-8",
        got="another",
        remedy=f"Send the header 'Content-Type: {route.media[0]}'.",
        code="DT270",
    )


def _encoded() -> RequestError:
    return RequestError(
        status=415,
        where="header 'Content-Encoding'",
        expected="a body that is not compressed",
        got="a compressed one",
        remedy="Send the body as it is.",
        code="DT271",
    )


def _fault() -> InternalError:
    return InternalError(
        where="the server",
        expected="an answer",
        got="a fault of its own",
        remedy="Its log has the details.",
    )
