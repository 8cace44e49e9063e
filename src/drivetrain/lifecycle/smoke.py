"""Smoke test: a real server serves the bundle, and answers as the bundle itself does."""

from __future__ import annotations

import http.client
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np

from drivetrain.runtime.model import Model

READY = "drivetrain serves at http"
START_S = 30.0
ANSWER_S = 10.0
ROWS = 16
TOLERANCE = 1e-5


def smoke(bundle: str | Path, model: Model, rows: list[dict[str, Any]]) -> str:
    """Start a server of the bundle, ask it, and stop it.

    Parameters
    ----------
    bundle
        The bundle's folder.
    model
        The same bundle, loaded: what the answers are compared with.
    rows
        Raw rows; the first 16 are sent.

    Returns
    -------
    str
        What is wrong, in words; empty where the server answers as the bundle does.
    """
    some = [{name: row.get(name) for name in model.contract.names} for row in rows[:ROWS]]
    body = msgspec.json.encode({"dataframe_records": some})
    try:
        with _served(bundle) as url:
            status, answer = _post(url, body)
    except (OSError, http.client.HTTPException) as error:
        return f"the server did not answer: {error}"
    if status != http.client.OK:
        return f"the server answered with status {status}: {answer[:200].decode(errors='replace')}"
    return _difference(model, msgspec.json.decode(body)["dataframe_records"], answer)


def _difference(model: Model, rows: list[dict[str, Any]], answer: bytes) -> str:
    expected = np.asarray(model.predict(rows)).tolist()
    got = [_prediction(one) for one in msgspec.json.decode(answer)["predictions"]]
    if len(got) != len(expected):
        return f"{len(rows)} rows were sent, {len(got)} predictions came back"
    for number, (one, other) in enumerate(zip(expected, got, strict=True)):
        if isinstance(one, float) and isinstance(other, float | int):
            if abs(one - other) > TOLERANCE * max(1.0, abs(one)):
                return f"row {number}: the bundle answers {one:g}, the server {other:g}"
        elif str(one) != str(other):
            return f"row {number}: the bundle answers {one}, the server {other}"
    return ""


def _prediction(one: Any) -> Any:
    return one["prediction"] if isinstance(one, dict) else one


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=ANSWER_S)
    try:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def _served(bundle: str | Path) -> Iterator[str]:
    """Yield the URL of a server of the bundle; ConnectionError if it does not come up."""
    words = [sys.executable, "-m", "drivetrain", "serve", str(bundle), "--port", "0",
             "--workers", "1", "--drain-delay-s", "0"]  # fmt: skip
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        yield _ready(lines)
    finally:
        process.terminate()
        try:
            process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(ANSWER_S)
        if process.stderr is not None:
            process.stderr.close()


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    for line in process.stderr or ():
        lines.put(line.strip())
    lines.put("")


def _ready(lines: queue.Queue[str]) -> str:
    last = "nothing"
    while True:
        try:
            line = lines.get(timeout=START_S)
        except queue.Empty as error:
            raise ConnectionError(f"no server after {START_S:g} s, it said: {last}") from error
        if READY in line:
            return line.split()[-1]
        if not line:
            raise ConnectionError(f"the server ended, it said: {last}")
        last = line
