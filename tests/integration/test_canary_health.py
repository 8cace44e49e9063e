"""A challenger that fails requests on a real server is taken back by what the server counted."""

from __future__ import annotations

import http.client
from pathlib import Path

import msgspec
import pytest

from drivetrain.bundle.write import write_bundle
from drivetrain.core.contract import Policy
from drivetrain.lifecycle.canary import begin_canary
from drivetrain.lifecycle.canary_judge import judge_canary
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.bundle import read_bundle
from drivetrain.testing.monitored import monitored_rows
from drivetrain.testing.monitored_bundle import raw_rows, write_monitored_bundle
from drivetrain.testing.server_process import ServerProcess

pytestmark = pytest.mark.xdist_group("serving processes")


def stricter(bundle: Path, path: Path) -> Path:
    """Write the bundle again; it refuses rows whose age is out of the range of training."""
    read = read_bundle(bundle)
    contract = read.manifest.contract
    columns = tuple(
        msgspec.structs.replace(column, policy=Policy(range="reject"))
        if column.name == "age" else column
        for column in contract.columns
    )  # fmt: skip
    manifest = msgspec.structs.replace(
        read.manifest, contract=msgspec.structs.replace(contract, columns=columns)
    )
    extra = {"reference.json": (bundle / "reference.json").read_bytes()}
    write_bundle(path, manifest, read.model, read.vectors, extra=extra)
    return path


def test_a_challenger_that_fails_requests_is_taken_back(tmp_path: Path) -> None:
    url, log = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "log"
    write_monitored_bundle(tmp_path / "one")
    book = Ledger(url)
    book.register(tmp_path / "one", "m")
    book.register(stricter(tmp_path / "one", tmp_path / "two"), "m")
    book.move("m", "champion", 1, reason="first")
    begun = begin_canary(book, "m", "production", 2, 50.0)
    server = ServerProcess("ledger:/m/production", ledger=url, log=str(log), workers=1,
                           drain_delay_s=0)  # fmt: skip
    rows = raw_rows(monitored_rows(2, seed=1).columns)
    rows[1]["age"] = 99.0
    statuses = []
    for number in range(120):
        body = msgspec.json.encode({"dataframe_records": [rows[number % 2]]})
        connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        statuses.append(connection.getresponse().status)
        connection.close()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    assert server.stop() == 0  # what was counted last is written
    failed = statuses.count(400)
    assert 5 < failed < 60
    version = book.version("m", 2).content_hash[:12]
    assert f'drivetrain_model_failures_total{{version="{version}"}} {failed}' in text
    state = judge_canary(book, "m", log, begun, rows=10)
    assert state.decision == "take back"
    assert f"{failed} of " in state.told
