"""The traffic that proofs of serving rest on sees what it has to see."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from drivetrain.testing.traffic import Traffic


class Flaky(BaseHTTPRequestHandler):
    """Answers as the server's ``mood`` says: a status, or a connection that closes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        mood = self.server.mood  # type: ignore[attr-defined]
        if mood == 0:
            self.close_connection = True
            return
        self.send_response(mood)
        self.send_header("content-length", "2")
        self.send_header("x-model-version", f"v{mood}")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    running.mood = 200  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.mark.parametrize("mood", [0, 500, 503])
def test_failures_are_found_between_the_marks_where_they_happened(
    server: ThreadingHTTPServer, mood: int
) -> None:
    port = server.server_address[1]
    with Traffic("127.0.0.1", port, "/", b"{}", clients=2, pause_s=0.001) as asking:
        asking.wait_for_version("v200")
        began = asking.mark()
        server.mood = mood  # type: ignore[attr-defined]
        asking.wait_for(20)
        server.mood = 200  # type: ignore[attr-defined]
        asking.wait_for_version("v200")
        ended = asking.mark()
        asking.wait_for(20)
    failures = asking.failures(0, ended)
    assert len(failures) >= 10
    assert {failure.status for failure in failures} == {mood}
    assert all(bool(failure.failure) == (mood == 0) for failure in failures)
    assert asking.failures(0, began) == []
    assert asking.failures(ended) == []


def test_a_version_that_never_comes_is_an_error(server: ThreadingHTTPServer) -> None:
    port = server.server_address[1]
    with (
        Traffic("127.0.0.1", port, "/", b"{}", clients=1, pause_s=0.001) as asking,
        pytest.raises(AssertionError, match="does not answer"),
    ):
        asking.wait_for_version("other", timeout_s=0.2)
