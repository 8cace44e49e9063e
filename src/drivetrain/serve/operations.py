"""What operators ask of a server, whatever its protocols: ``/metrics`` and ``/openapi.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivetrain.serve.metrics import OPENMETRICS, PROMETHEUS, Counts, merged, render
from drivetrain.serve.openapi import document
from drivetrain.serve.payload import write_json
from drivetrain.serve.protocol import Protocol, Reply, Request, Route
from drivetrain.serve.service import Service


class Operations(Protocol):
    """Routes beside the protocols' own.

    Parameters
    ----------
    counts
        Gives the numbers of all workers.
    protocols
        What is served beside.
    """

    title = "Operations"

    def __init__(
        self, counts: Callable[[], list[Counts]], protocols: Mapping[str, Protocol]
    ) -> None:
        self._counts = counts
        self._protocols = {**protocols, "operations": self}
        self.routes: tuple[Route, ...] = (
            Route(
                "GET",
                "/metrics",
                self._metrics,
                summary="Counters for Prometheus",
                answers=(OPENMETRICS, PROMETHEUS),
            ),
            Route("GET", "/openapi.json", self._openapi, summary="This description"),
        )

    def error(self, status: int, line: str) -> bytes:
        return write_json({"error": line})

    def _metrics(self, request: Request, service: Service) -> Reply:
        is_open = "application/openmetrics-text" in (request.header(b"accept") or "")
        text = render(merged(self._counts()), is_open=is_open)
        return Reply(text, media=OPENMETRICS if is_open else PROMETHEUS)

    def _openapi(self, request: Request, service: Service) -> Reply:
        described = document(service.served(), self._protocols, max_rows=service.max_rows)
        return Reply(write_json(described))
