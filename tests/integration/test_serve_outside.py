"""A real server of two workers, seen from outside: metrics of all, the log of all."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
import tritonclient.grpc as triton
from prometheus_client.parser import text_string_to_metric_families

from drivetrain.testing.server_process import ServerProcess
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

pytestmark = pytest.mark.xdist_group("serving processes")


def rows_counted(url: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == "drivetrain_rows_total")


def test_workers_count_and_log_everything_once(tmp_path: Path) -> None:
    contract = write_tabular_bundle(tmp_path / "tabular.bundle").contract
    log = tmp_path / "log"
    server = ServerProcess(tmp_path / "tabular.bundle", workers=2, log=str(log), drain_delay_s=0.0)
    asked = {"dataframe_records": tabular_rows(contract, 3)}
    ids = set()
    for _ in range(40):
        reply = httpx.post(f"{server.url}/invocations", json=asked)
        assert reply.status_code == 200
        ids.add(reply.headers["x-prediction-id"])
    counted = 0.0
    for _ in range(200):  # a worker shows its counts to the others a few times a second
        counted = rows_counted(server.url)
        if counted == 120:
            break
        threading.Event().wait(0.05)
    assert counted == 120
    assert server.stop() == 0
    logged = pl.read_parquet(sorted(log.glob("*.parquet")))
    assert len(logged) == 120
    assert ids <= set(logged["prediction_id"].to_list())
    assert logged["prediction_id"].n_unique() == 120


def test_grpc_answers_beside_http(tmp_path: Path) -> None:
    contract = write_tabular_bundle(tmp_path / "tabular.bundle").contract
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ServerProcess(tmp_path / "tabular.bundle", grpc_port=port, drain_delay_s=0.0)
    (row,) = tabular_rows(contract, 1, seed=3)
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    inputs = []
    for column in contract.columns:
        values = np.array([row[column.name]])
        datatype = {"f": "FP64", "b": "BOOL"}.get(values.dtype.kind, "BYTES")
        item = triton.InferInput(column.name, [1], datatype)
        item.set_data_from_numpy(values if datatype != "BYTES" else values.astype(object))
        inputs.append(item)
    found = client.infer("tabular", inputs).as_numpy("probabilities")
    client.close()
    asked = {"dataframe_records": [row], "params": {"method": "predict_proba"}}
    told = httpx.post(f"{server.url}/invocations", json=asked).json()["predictions"]
    counted = httpx.get(f"{server.url}/metrics").text
    assert (
        'drivetrain_requests_total{route="/inference.GRPCInferenceService/ModelInfer",'
        'method="POST",status="200"} 1' in counted
    )
    assert server.stop() == 0
    assert np.array_equal(found, np.array(told, np.float32))
