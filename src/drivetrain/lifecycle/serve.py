"""Serve a bundle over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivetrain.core.settings import build
from drivetrain.serve.settings import ServeSettings


def serve(
    bundle: str | Path, *, host: str = "127.0.0.1", port: int = 8080, **settings: Any
) -> None:
    """Serve a bundle with every protocol, until SIGTERM or SIGINT.

    One line with the URL goes to standard error when the server is ready. This process owns the
    port and watches ``workers`` others, which answer. On SIGTERM requests in flight are finished
    before it ends; on SIGHUP fresh workers take the places of the old ones.

    Parameters
    ----------
    bundle
        A bundle's folder; or a JSON or TOML file that says which bundles are served, with which
        shares and shadows (:mod:`drivetrain.serve.desired`), or ``ledger:/NAME@ALIAS`` or
        ``ledger:/NAME/DEPLOYMENT``: these are followed, and what they say is served within a
        second.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    settings
        Other fields of :class:`~drivetrain.serve.settings.ServeSettings`.

    Raises
    ------
    SettingError
        If a setting is unknown or out of its range.
    ResourceError
        If the port is taken.
    BundleError
        If the bundle cannot be loaded, or does not answer its own vectors.

    Examples
    --------
    ::

        dt.serve("income.bundle", port=8080)
        dt.serve("ledger:/income@champion", workers=4)
    """
    chosen = build(ServeSettings, {"host": host, "port": port, **settings}, source="serve()")
    from drivetrain.serve.supervisor import run

    run(bundle, chosen)
