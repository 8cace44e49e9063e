"""What a real server answered is watched, and its labels are joined by the ids that it gave."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from drivetrain.lifecycle.labels import add_labels
from drivetrain.lifecycle.watch import watch
from drivetrain.serve.prediction_id import row_ids
from drivetrain.testing.monitored import Rows, monitored_rows
from drivetrain.testing.monitored_bundle import write_monitored_bundle
from drivetrain.testing.server_process import ServerProcess

ROWS = 400


def records(rows: Rows) -> list[dict[str, Any]]:
    """Rows as a client would send them."""
    sent = []
    for place in range(len(rows.y)):
        row = {name: values[place] for name, values in rows.columns.items()}
        row = {name: v.tolist() if hasattr(v, "tolist") else v for name, v in row.items()}
        row["seen"] = str(np.datetime64(row["seen"], "us")) + "Z"
        row["member"] = bool(row["member"])
        row["income"] = None if np.isnan(row["income"]) else row["income"]
        sent.append(row)
    return sent


def post(url: str, body: dict[str, Any]) -> str:
    """Post rows; return the id of the first, which names them all."""
    request = urllib.request.Request(
        url + "/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers["x-prediction-id"]


@pytest.mark.xdist_group("alone")
def test_the_servers_log_is_watched_and_labels_find_their_predictions(tmp_path: Path) -> None:
    bundle, log = tmp_path / "bundle", tmp_path / "log"
    write_monitored_bundle(bundle)
    server = ServerProcess(bundle, log=str(log), log_block=True, drain_delay_s=0)
    ids, truth = [], []
    try:
        for batch in range(3):
            rows = monitored_rows(ROWS, seed=40 + batch)
            first = post(server.url, {"dataframe_records": records(rows)})
            ids += row_ids(first, ROWS)
            truth += np.array(["no", "yes"])[rows.y.astype(int)].tolist()
    finally:
        assert server.stop() == 0
    result = add_labels(
        pl.DataFrame({"prediction_id": ids, "label": truth}), log=log, bundle=bundle
    )
    assert (result.matched, result.unmatched, result.waiting) == (3 * ROWS, 0, 0)
    report = watch(bundle, log, window=f"{3 * ROWS} rows")
    (window,) = report.windows
    assert (window.rows, report.labels) == (3 * ROWS, 3 * ROWS)
    assert not report.breach
    assert window.realised is not None
    assert window.estimate is not None
    assert abs(window.estimate.score - window.realised.score) < 0.05
    unwatched = {name for f in report.findings if f.check == "columns" for name in f.columns}
    assert unwatched == set()
