"""Ask an ASGI application in this process, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

import msgspec

from drivetrain.serve.app import App


class Response(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AsgiClient:
    """Sends one request after the other to an application.

    Examples
    --------
    ::

        with AsgiClient(app) as client:
            assert client.get("/v2/health/live").status == 200
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._runner = asyncio.Runner()

    def __enter__(self) -> AsgiClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()
        self.app.close()

    def get(self, path: str) -> Response:
        """Send a GET."""
        return self.ask("GET", path)

    def post(self, path: str, body: bytes, *, media: str = "application/json") -> Response:
        """Send a POST with a content type; an empty ``media`` sends none."""
        headers = {"content-type": media} if media else {}
        return self.ask("POST", path, body, headers=headers)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        parts: int = 1,
    ) -> Response:
        """Send a request, its body in ``parts`` pieces."""
        return self._runner.run(self._ask(method, path, body, headers or {}, parts))

    async def _ask(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], parts: int
    ) -> Response:
        size = max(1, -(-len(body) // parts))
        pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            if not pieces:
                return {"type": "http.disconnect"}
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "method": method, "raw_path": path.encode(), "path": path,
            "query_string": b"", "headers": raw,
        }  # fmt: skip
        await self.app(scope, receive, send)
        start, *bodies = sent
        return Response(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message["body"] for message in bodies),
        )
