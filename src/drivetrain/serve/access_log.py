"""One JSON line about a request, and the trace that it belongs to.

JSON escapes whatever a client put into its path, so a line stays a line. Neither a query, which
might hold a key, nor a body is written.
"""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from drivetrain.serve.protocol import Reply

_TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST = 512
_encode = msgspec.json.Encoder().encode


class Seen(Protocol):
    """What a line tells of a request."""

    @property
    def method(self) -> str:
        """Such as POST."""

    @property
    def path(self) -> str:
        """As it came, percent-encoded."""

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port."""


def trace_of(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """Return a valid W3C ``traceparent`` as it came; None without one."""
    for name, value in headers:
        if name == b"traceparent":
            return value if _TRACE.fullmatch(value) else None
    return None


def access_line(request: Seen, reply: Reply, seconds: float, trace: bytes | None) -> str:
    """Write the line; its members are stable."""
    told = {
        "event": "request",
        "method": request.method[:32],
        "path": request.path.partition("?")[0][:_LONGEST],
        "status": reply.status,
        "duration_us": round(seconds * 1e6),
        "bytes": len(reply.body),
        "client": request.client[0] if request.client else None,
        "prediction_id": reply.answer.prediction_id if reply.answer else None,
        "model_version": reply.answer.version if reply.answer else None,
        "trace_id": trace[3:35].decode("ascii") if trace else None,
    }
    # \u2028 and C1 controls would break lines or colour a terminal
    text = _encode(told).decode("utf-8")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
