"""The floor: a bare ASGI application that reads a request and answers fixed bytes, on uvicorn."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

BODY = b'{"predictions":["yes"]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off", ws="none",
        access_log=False, log_level="error", server_header=False,
    )  # fmt: skip
