"""The listening socket: bound before anything else, so that a taken port is one line."""

from __future__ import annotations

import socket

from drivetrain.core.errors import ResourceError
from drivetrain.serve.settings import ServeSettings

BACKLOG = 2048


def listen(settings: ServeSettings) -> socket.socket:
    """Bind the socket.

    Raises
    ------
    ResourceError
        If the address cannot be had.
    """
    try:
        address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(address[0], socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address[4])
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ResourceError(
            where=f"{settings.host}:{settings.port}",
            expected="an address to listen on",
            got=(error.strerror or str(error)).lower(),
            remedy="Choose another with --host and --port; port 0 takes a free one.",
            code="DT322",
        ) from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, *, is_tls: bool) -> str:
    """Return where clients reach the server."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if is_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
