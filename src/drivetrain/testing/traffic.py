"""Constant traffic while a server is changed, then: which requests failed, and who answered.

After KServe's TrafficDriver: start it, set marks around what is done to the server, and ask for
the requests between two marks.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from typing import NamedTuple

TIMEOUT_S = 30.0


class Exchange(NamedTuple):
    """One request: when it began and ended (monotonic seconds), and how.

    ``status`` is the HTTP status, or 0 where none came and ``failure`` says why.
    """

    began_s: float
    ended_s: float
    status: int
    version: str
    failure: str


class Traffic:
    """Clients that ask the same question again and again, each over a kept connection.

    Parameters
    ----------
    clients
        Connections at a time.
    reconnects
        Open a new connection for each request.
    pause_s
        Between an answer and the client's next request.
    others
        More servers that answer the same, as behind a balancer: a client that is told to close its
        connection, or cannot open one, goes to the next.
    """

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        body: bytes,
        *,
        clients: int = 4,
        reconnects: bool = False,
        pause_s: float = 0.0,
        headers: Mapping[str, str] | None = None,
        others: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._addresses = ((host, port), *others)
        self._path = path
        self._body = body
        self._reconnects = reconnects
        self._pause_s = pause_s
        self._headers = {"content-type": "application/json", **(headers or {})}
        self._stop = threading.Event()
        self._exchanges: list[Exchange] = []
        self._answered = threading.Condition()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        self.wait_for(len(self._threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def mark(self) -> float:
        """Return now, as a mark."""
        return time.monotonic()

    def wait_for(self, answers: int, timeout_s: float = 60.0) -> None:
        """Wait until so many more requests have ended."""
        with self._answered:
            wanted = len(self._exchanges) + answers
            done = self._answered.wait_for(lambda: len(self._exchanges) >= wanted, timeout_s)
        assert done, f"fewer than {answers} answers in {timeout_s} s"

    def wait_for_version(self, version: str, timeout_s: float = 60.0) -> None:
        """Wait until every client has been answered by this version only for a while."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            began = self.mark()
            self.wait_for(4 * len(self._threads))
            if {one.version for one in self.between(began) if one.status == 200} == {version}:
                return
        raise AssertionError(f"version {version} does not answer everything after {timeout_s} s")

    def between(self, began_s: float, ended_s: float = float("inf")) -> list[Exchange]:
        """List the requests that began at or after one mark and ended before another."""
        with self._answered:
            found = list(self._exchanges)
        return [one for one in found if one.began_s >= began_s and one.ended_s < ended_s]

    def failures(self, began_s: float = 0.0, ended_s: float = float("inf")) -> list[Exchange]:
        """List the requests between two marks that were not answered with 200."""
        return [one for one in self.between(began_s, ended_s) if one.status != 200]

    def _ask(self) -> None:
        servers = cycle(self._addresses)
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            if connection is None:
                connection = self._connect(servers)
            began_s = time.monotonic()
            status, version, failure = 0, "", ""
            try:
                connection.request("POST", self._path, self._body, self._headers)
                reply = connection.getresponse()
                reply.read()
                status, version = reply.status, reply.headers.get("x-model-version", "")
            except (OSError, http.client.HTTPException) as error:
                failure = f"{type(error).__name__}: {error}"
            if failure or self._reconnects or connection.sock is None:
                connection.close()
                connection = None
            with self._answered:
                self._exchanges.append(
                    Exchange(began_s, time.monotonic(), status, version, failure)
                )
                self._answered.notify_all()
            self._stop.wait(self._pause_s)
        if connection is not None:
            connection.close()

    def _connect(self, servers: Iterator[tuple[str, int]]) -> http.client.HTTPConnection:
        """Connect to the next server; where there is one alone, its refusal is a failed request."""
        for _ in self._addresses[1:]:
            connection = http.client.HTTPConnection(*next(servers), timeout=TIMEOUT_S)
            with suppress(ConnectionRefusedError):
                connection.connect()
                return connection
        return http.client.HTTPConnection(*next(servers), timeout=TIMEOUT_S)
