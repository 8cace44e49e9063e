"""``drivetrain serve`` with no other word, as a cloud starts a container."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from drivetrain.cli.commands import serve as serve_command
from drivetrain.cli.main import main
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

pytestmark = pytest.mark.xdist_group("serving processes")
SERVE = [sys.executable, "-m", "drivetrain", "serve"]


def test_sagemaker_starts_asks_and_stops_a_container(tmp_path: Path) -> None:
    contract = write_tabular_bundle(tmp_path / "model" / "tabular.bundle").contract
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = {"SM_MODEL_DIR": str(tmp_path / "model"), "SAGEMAKER_BIND_TO_PORT": port}
    server = subprocess.Popen(
        SERVE, env=os.environ | environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        assert server.stderr.readline().rstrip().endswith(f":{port}")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            ping = client.get("/ping")
            assert ping.status_code == 200
            asked = {"dataframe_records": tabular_rows(contract, 2)}
            headers = {"accept": "*/*", "x-amzn-sagemaker-inference-id": "7"}
            reply = client.post("/invocations", json=asked, headers=headers)
            assert len(reply.json()["predictions"]) == 2
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        if server.stderr is not None:
            server.stderr.close()


def test_a_default_that_is_named_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_bytes(b"{}")
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "model"))
    monkeypatch.setenv("AIP_HTTP_PORT", "9090")
    asked: list[tuple[str, int]] = []

    def take(bundle: object, *, host: str, port: int, **settings: object) -> None:
        asked.append((host, port))

    monkeypatch.setattr(serve_command, "serve", take)
    for words in ([], ["--port", "8080"], ["--host", "127.0.0.1"], ["bundle"]):
        assert main(["serve", *words]) == 0
    assert asked == [
        ("0.0.0.0", 9090), ("0.0.0.0", 8080), ("127.0.0.1", 9090), ("127.0.0.1", 8080)
    ]  # fmt: skip


def test_a_container_without_a_model_says_so_in_one_line(tmp_path: Path) -> None:
    environment = os.environ | {"SM_MODEL_DIR": str(tmp_path)}
    ended = subprocess.run(SERVE, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "expected one bundle, got 0" in line
