"""The settings of the server, declared once for Python, TOML, the CLI and the docs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

MEBIBYTE = 1 << 20
HOST = "127.0.0.1"
PORT = 8080


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a bundle is served."""

    host: Annotated[str, Meta(description="address to listen on")] = HOST
    port: Annotated[
        int, Meta(description="port to listen on; 0 takes a free one and prints it", ge=0, le=65535)
    ] = PORT
    model_name: Annotated[
        str | None, Meta(description="name of the model in paths; the bundle's own if not given")
    ] = None
    workers: Annotated[
        int,
        Meta(description="processes that answer, beside the one that watches them", ge=1, le=256),
    ] = 1
    max_in_flight: Annotated[
        int, Meta(description="requests that a worker takes on at once; 503 beyond them", ge=1)
    ] = 128
    deadline_s: Annotated[
        float, Meta(description="seconds from a request's arrival to its answer; 504 after", gt=0)
    ] = 10.0
    hang_timeout_s: Annotated[
        float, Meta(description="seconds of silence until a worker is killed and replaced", gt=0)
    ] = 10.0
    ledger: Annotated[
        str | None, Meta(description="URL of the ledger, where ledger:/NAME@ALIAS is served")
    ] = None
    threads: Annotated[
        int, Meta(description="threads for large requests; small ones need none", ge=1, le=256)
    ] = 2
    inline_bytes: Annotated[
        int, Meta(description="bodies up to this size are answered without a thread", ge=0)
    ] = 16_384
    max_body_bytes: Annotated[
        int, Meta(description="largest body; 413 beyond it", ge=1)
    ] = 16 * MEBIBYTE  # fmt: skip
    max_rows: Annotated[
        int, Meta(description="most rows in one request; 413 beyond them", ge=1)
    ] = 100_000  # fmt: skip
    max_header_bytes: Annotated[
        int, Meta(description="largest request line and headers; 431 beyond it", ge=256)
    ] = 16_384  # fmt: skip
    max_headers: Annotated[int, Meta(description="most headers; 431 beyond them", ge=1)] = 64
    header_timeout_s: Annotated[
        float, Meta(description="seconds until a client must have sent its headers", gt=0)
    ] = 10.0
    body_timeout_s: Annotated[
        float, Meta(description="seconds until a client must have sent its body; 408 after", gt=0)
    ] = 30.0
    idle_timeout_s: Annotated[
        float, Meta(description="seconds that an idle connection lives, more than your proxy", gt=0)
    ] = 75.0  # fmt: skip
    drain_delay_s: Annotated[
        float, Meta(description="seconds from 'not ready' to closing the port, on SIGTERM", ge=0)
    ] = 0.5  # fmt: skip
    drain_timeout_s: Annotated[
        float, Meta(description="seconds that requests in flight have to finish, on SIGTERM", gt=0)
    ] = 30.0
    echo_values: Annotated[
        bool, Meta(description="show the refused value in error messages to clients")
    ] = False
    log: Annotated[
        str | None, Meta(description="folder of the prediction log; nothing is logged without one")
    ] = None
    log_block: Annotated[
        bool, Meta(description="let requests wait for the prediction log instead of dropping rows")
    ] = False
    log_segment_s: Annotated[
        float, Meta(description="seconds until logged rows become a Parquet file", gt=0)
    ] = 8.0
    log_queue_bytes: Annotated[
        int, Meta(description="most memory for rows that wait to be logged", ge=1)
    ] = 32 * MEBIBYTE  # fmt: skip
    log_hash_key: Annotated[
        str | None,
        Meta(description="key file to hash private columns with; else they are left out"),
    ] = None
    keys: Annotated[
        str | None, Meta(description="file of hashed bearer keys; without one, no key is asked for")
    ] = None
    tls_certificate: Annotated[
        str | None, Meta(description="PEM file of the certificate chain; serves HTTPS")
    ] = None
    tls_key: Annotated[
        str | None, Meta(description="PEM file of the certificate's private key")
    ] = None  # fmt: skip
    grpc_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(description="port for gRPC; not served without one"),
    ] = None  # fmt: skip
    access_log: Annotated[
        bool, Meta(description="write one JSON line about every request to standard error")
    ] = False
    otel: Annotated[
        bool, Meta(description="send a span for each request, as the environment's OTEL_* says")
    ] = False

    @property
    def scheme(self) -> str:
        """What clients use."""
        return "https" if self.tls_certificate else "http"
