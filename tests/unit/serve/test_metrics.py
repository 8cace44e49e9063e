"""Metrics: what Prometheus' own parsers read, whole over workers, bounded whatever clients send."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_old

from drivetrain.serve.access_log import access_line
from drivetrain.serve.app import App
from drivetrain.serve.board import Board
from drivetrain.serve.metrics import BOUNDS_S, OPENMETRICS, PROMETHEUS, Counts, merged, render
from drivetrain.serve.protocol import Reply
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.testing.asgi_client import AsgiClient
from drivetrain.testing.tabular_model import TabularModel


@pytest.fixture
def client() -> Iterator[AsgiClient]:
    service = Service()
    service.swap(Served(TabularModel()))
    with AsgiClient(App(service, ServeSettings(access_log=True))) as opened:
        yield opened


def scrape(client: AsgiClient, *, is_open: bool = True) -> dict[tuple[str, tuple[str, ...]], float]:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" if is_open else "*/*"
    reply = client.ask("GET", "/metrics", headers={"accept": accept})
    assert reply.status == 200
    assert reply.headers["content-type"] == (OPENMETRICS if is_open else PROMETHEUS)
    families = (parse_open if is_open else parse_old)(reply.body.decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def invoke(client: AsgiClient, rows: list[dict[str, Any]]) -> int:
    body = msgspec.json.encode({"dataframe_records": rows})
    return client.post("/invocations", body).status


@pytest.mark.parametrize("is_open", [True, False])
def test_prometheus_reads_what_was_counted(client: AsgiClient, is_open: bool) -> None:
    rows = [{**row, "job": "unheard of", "colour": 1} for row in TabularModel().rows(2)]
    for _ in range(3):
        assert invoke(client, rows) == 200
    assert invoke(client, [{"age": "x"}]) == 400
    assert client.get("/nowhere").status == 404
    found = scrape(client, is_open=is_open)
    prefix = "drivetrain_"
    assert found[prefix + "requests_total", ("/invocations", "POST", "200")] == 3
    assert found[prefix + "requests_total", ("/invocations", "POST", "400")] == 1
    assert found[prefix + "requests_total", ("_OTHER", "_OTHER", "404")] == 1
    assert found[prefix + "rows_total", ()] == 6
    assert found[prefix + "errors_total", ("DT253",)] == 1
    assert found[prefix + "contract_breaches_total", ("job", "unseen")] == 6
    assert found[prefix + "contract_breaches_total", ("_OTHER", "extra_column")] == 6
    version = Served(TabularModel()).version
    assert found[prefix + "predictions_total", (version,)] == 3
    assert found[prefix + "workers_ready", ()] == 1
    name = prefix + "request_duration_seconds"
    buckets = [found[f"{name}_bucket", ("/invocations", str(bound))] for bound in BOUNDS_S]
    assert buckets == sorted(buckets)
    assert found[f"{name}_bucket", ("/invocations", "+Inf")] == 4
    assert found[f"{name}_count", ("/invocations",)] == 4
    assert 0 < found[f"{name}_sum", ("/invocations",)] < 60
    (model,) = [labels for sample, labels in found if sample == prefix + "model_info"]
    assert model[:2] == ("tabular", version)


def test_the_number_of_series_does_not_depend_on_clients(client: AsgiClient) -> None:
    row = TabularModel().rows(1)[0]
    invoke(client, [{**row, "extra": 1}])
    client.get("/v2/models/nobody")
    client.ask("GET", "/nowhere")
    client.ask("BREW", "/invocations")
    scrape(client)
    before = set(scrape(client))
    for number in range(300):
        invoke(client, [{**row, f"extra {number}": 1}])
        client.get(f"/v2/models/model{number}")
        client.get(f"/{number}")
        client.ask(f"M{number}", "/invocations")
    assert set(scrape(client)) == before


def test_names_of_columns_cannot_break_the_text() -> None:
    counts = Counts(breaches={'unseen a"b\\c\nd{} 1\n# EOF': 1, "junk ü💡": 2})
    for is_open, parse in ((True, parse_open), (False, parse_old)):
        families = parse(render(counts, is_open=is_open).decode())
        names = [
            sample.labels["column"]
            for family in families
            for sample in family.samples
            if "breaches" in sample.name
        ]
        assert sorted(names) == sorted(['a"b\\c\nd{} 1\n# EOF', "ü💡"])


def counts_of(number: int) -> Counts:
    return Counts(
        requests={"/a POST 200": number}, latency={"/a": [float(number)] * (len(BOUNDS_S) + 2)},
        totals={"rows": number}, gauges={"workers_ready": 1.0}, models=[("m", "1", "h", "answer")],
    )  # fmt: skip


def test_workers_answer_for_each_other_and_the_dead_stay_counted(tmp_path: Path) -> None:
    code = (
        "import sys, msgspec; from pathlib import Path; from drivetrain.serve.board import Board;"
        "from drivetrain.serve.metrics import Counts;"
        "board = Board(Path(sys.argv[1]), 1);"
        "board.publish(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Counts))"
    )
    for number in (10, 20, 30):  # three workers, one after the other, in slot 1
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            input=msgspec.msgpack.encode(counts_of(number)),
            check=True,
        )
    mine = Board(tmp_path, 0)
    mine.publish(counts_of(1))
    whole = merged([counts_of(1), *mine.others()])
    assert whole.requests == {"/a POST 200": 61}
    assert whole.totals == {"rows": 61}
    assert whole.gauges == {"workers_ready": 1.0}
    assert whole.latency["/a"][0] == 61
    assert len(list(tmp_path.iterdir())) == 3  # own, the last of slot 1, and the sum of its past
    Board(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"0-{os.getpid()}", "1-0"])
    (tmp_path / "2-1").write_bytes(b"torn")
    assert merged([counts_of(1), *mine.others()]).totals == {"rows": 61}


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_trace_is_passed_on_and_logged(
    client: AsgiClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="drivetrain.serve.access"):
        reply = client.ask("GET", "/v2/health/live?key=s3cret", headers={"traceparent": TRACE})
    assert reply.headers["traceparent"] == TRACE
    told = json.loads(caplog.records[-1].message)
    assert told["trace_id"] == TRACE[3:35]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "trace", ["", "00-0-0-0", "00-" + "0" * 32 + TRACE[35:], "ff" + TRACE[2:], TRACE + "\r\nx: y"]
)
def test_another_trace_is_ignored(client: AsgiClient, trace: str) -> None:
    reply = client.ask("GET", "/v2/health/live", headers={"traceparent": trace})
    assert "traceparent" not in reply.headers


class Seen(NamedTuple):
    method: str
    path: str
    client: None = None


def test_a_line_of_the_log_is_one_line_whatever_the_path(
    client: AsgiClient, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/a\r\n{}", "/\x1b[31m", "/\x85", "/\xe2\x80\xa8", "/" * 9999):
        line = access_line(Seen("GET", path), Reply(b""), 0.1, None)
        assert line.isprintable()
        assert len(line) < 5000
        assert json.loads(line)["path"] == path[:512]
    rows = TabularModel().rows(1)
    with caplog.at_level(logging.INFO, logger="drivetrain.serve.access"):
        invoke(client, rows)
    told = json.loads(caplog.records[-1].message)
    assert (told["path"], told["status"], len(told["prediction_id"])) == ("/invocations", 200, 36)
