"""A real MLflow server for tests, from an environment of its own: it wants older libraries."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = "DRIVETRAIN_TEST_MLFLOW"  # names the program; default: what `make mlflow` installs
START_S = 90.0


def find_mlflow(repository: Path) -> str | None:
    """Return the program ``mlflow`` of a full installation; None without one."""
    found = Path(os.environ.get(PROGRAM, repository / ".benchmarks" / "mlflow" / "bin" / "mlflow"))
    return str(found) if found.is_file() else None


@contextmanager
def running_mlflow(program: str, folder: Path) -> Iterator[str]:
    """Run ``mlflow server`` on a free port of this machine; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
             "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
             "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment["PATH"] = f"{Path(program).parent}{os.pathsep}{environment['PATH']}"
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            words, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{address}/health", server)
            yield address
        finally:
            os.killpg(server.pid, 15)
            server.wait(30)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Return when an address answers; TimeoutError if its process ends or takes too long."""
    ends = time.monotonic() + START_S
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"{address} does not answer")
