"""A real server of two workers, seen from outside: metrics of all, the log of all, gRPC beside."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families

from drivetrain.core.contract import Contract
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

START = (
    "import sys, json; from drivetrain.serve.supervisor import run;"
    "from drivetrain.serve.settings import ServeSettings;"
    "run(sys.argv[1], ServeSettings(**json.loads(sys.argv[2])))"
)


class Running:
    def __init__(self, bundle: Path, contract: Contract, **settings: Any) -> None:
        self.contract = contract
        text = json.dumps({"port": 0, "drain_delay_s": 0.0, **settings})
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(bundle), text], stderr=subprocess.PIPE, text=True
        )
        stderr = self.process.stderr
        if stderr is None:
            raise RuntimeError
        for line in stderr:
            found = re.search(r"(https?://\S+)", line)
            if found:
                self.url = found[1]
                break
        else:
            raise RuntimeError("it did not start")
        threading.Thread(target=stderr.read, daemon=True).start()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contract]:
    folder = tmp_path_factory.mktemp("outside") / "tabular.bundle"
    return folder, write_tabular_bundle(folder).contract


@pytest.fixture
def log_folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "log"


def test_workers_count_and_log_everything_once(
    bundle: tuple[Path, Contract], log_folder: Path
) -> None:
    running = Running(*bundle, workers=2, log=str(log_folder))
    rows = tabular_rows(running.contract, 3)
    ids = []
    for _ in range(40):
        reply = httpx.post(f"{running.url}/invocations", json={"dataframe_records": rows})
        assert reply.status_code == 200
        ids.append(reply.headers["x-prediction-id"])
    counted = 0.0
    for _ in range(100):  # a worker shows its counts a few times a second
        text = httpx.get(f"{running.url}/metrics").text
        counted = sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "drivetrain_rows_total"
        )
        if counted == 120:
            break
        threading.Event().wait(0.05)
    assert counted == 120
    assert running.end() == 0
    logged = pl.read_parquet(sorted(log_folder.glob("*.parquet")))
    assert len(logged) == 120
    assert set(ids) <= set(logged["prediction_id"].to_list())
    assert logged["prediction_id"].n_unique() == 120
