"""From a log to an alert: drift, estimates, labels, findings, exit status, report."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from drivetrain.cli.main import main
from drivetrain.core.errors import BundleError, DataError
from drivetrain.lifecycle.keep_watching import KeepWatchingSettings, keep_watching
from drivetrain.lifecycle.labels import add_labels
from drivetrain.lifecycle.watch import watch
from drivetrain.runtime.model import Model
from drivetrain.testing.monitored import Rows, monitored_rows
from drivetrain.testing.monitored_bundle import (
    DAY_US,
    START_US,
    write_monitored_bundle,
    write_segment,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watch") / "bundle"
    write_monitored_bundle(path)
    return path


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    return Model.load(bundle, threads=1)


def answered(model: Model, rows: Rows) -> Rows:
    """The rows with what the bundle itself answers."""
    return Rows(rows.columns, model.run(rows.columns), rows.y)


def write_days(folder: Path, model: Model, days: list[Rows]) -> list[tuple[list[str], Rows]]:
    written = []
    for day, rows in enumerate(days):
        logged = answered(model, rows)
        ids = write_segment(
            folder, logged, content_hash=model.manifest.content_hash,
            start_us=START_US + day * DAY_US,
        )  # fmt: skip
        written.append((ids, logged))
    return written


def label_file(path: Path, ids: list[str], y: np.ndarray) -> Path:
    names = np.array(["no", "yes"])[y.astype(int)].tolist()
    pl.DataFrame({"prediction_id": ids, "answer": names}).write_csv(path)
    return path


def checks(report) -> set[str]:
    return {finding.check for finding in report.findings}


def test_stable_days_give_no_finding_and_hold_the_estimate(tmp_path, bundle, model) -> None:
    log = tmp_path / "log"
    days = write_days(log, model, [monitored_rows(1500, seed=10 + k) for k in range(6)])
    for number, (ids, rows) in enumerate(days):
        add_labels(label_file(tmp_path / f"{number}.csv", ids, rows.y), log=log, bundle=bundle)
    report = watch(bundle, log)
    assert not report.breach
    assert report.findings == ()
    assert len(report.windows) == 6
    assert report.labels == report.rows == 9000
    assert sum(window.held is True for window in report.windows) >= 5
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report


def test_drift_that_does_no_harm_is_a_warning_that_names_the_columns(
    tmp_path, bundle, model
) -> None:
    days = [monitored_rows(1500, seed=k) for k in range(3)]
    days += [monitored_rows(1500, seed=30 + k, missing=0.4) for k in range(2)]
    write_days(tmp_path, model, days)
    report = watch(bundle, tmp_path)
    assert not report.breach
    (found,) = [f for f in report.findings if f.columns == ("income",)]
    assert (found.check, found.severity) == ("drift", "warning")
    assert "missing cells went from 5" in found.what.lower()
    assert [bool(w.drift) for w in report.windows[:3]] == [False] * 3


def test_worse_rows_breach_the_estimate_before_a_label_comes(tmp_path, bundle, model) -> None:
    """Cities as before, but ages in so narrow a range that none can be told apart."""
    days = [monitored_rows(2500, seed=k) for k in range(2)]
    for k in range(2):
        rows = monitored_rows(2500, seed=60 + k)
        rows.columns["age"][:] *= 0.05
        days.append(rows)
    write_days(tmp_path, model, days)
    report = watch(bundle, tmp_path)
    assert report.breach
    worst = report.findings[0]
    assert (worst.check, worst.severity) == ("estimated_quality", "error")
    assert worst.evidence["suspects"][0] == "age"


def test_a_changed_rule_is_seen_by_labels_and_only_by_them(tmp_path, bundle, model) -> None:
    log = tmp_path / "log"
    days = write_days(log, model, [monitored_rows(1500, seed=80 + k) for k in range(4)])
    assert not watch(bundle, log).breach
    random = np.random.default_rng(0)
    for number, (ids, rows) in enumerate(days):
        flipped = (random.random(1500) < 0.3) & (number >= 2)
        y = np.where(flipped, 1 - rows.y, rows.y)
        add_labels(label_file(tmp_path / f"{number}.csv", ids, y), log=log, bundle=bundle)
    report = watch(bundle, log)
    assert report.breach
    assert checks(report) == {"realised_quality", "estimate_held"}


def test_labels_are_added_once_matched_and_counted(tmp_path, bundle, model) -> None:
    log = tmp_path / "log"
    ((ids, rows),) = write_days(log, model, [monitored_rows(100, seed=1)])
    file = label_file(tmp_path / "a.csv", [*ids[:60], "unknown-1"], np.append(rows.y[:60], 1))
    first = add_labels(file, log=log, bundle=bundle)
    assert (first.added.new, first.matched, first.unmatched, first.waiting) == (61, 60, 1, 40)
    again = add_labels(file, log=log, bundle=bundle)
    assert (again.added.new, again.added.same) == (0, 61)
    with pytest.raises(DataError, match="'maybe'"):
        add_labels(
            pl.DataFrame({"prediction_id": ids[:1], "answer": ["maybe"]}), log=log, bundle=bundle
        )
    with pytest.raises(DataError, match="--label-column"):
        add_labels(
            pl.DataFrame({"prediction_id": ["a"], "b": ["yes"], "c": ["no"]}), log=log,
            bundle=bundle,
        )  # fmt: skip


def test_the_command_exits_1_on_a_breach_writes_its_reports_and_posts_an_alert(
    tmp_path, bundle, model, capfd
) -> None:
    log = tmp_path / "log"
    days = [monitored_rows(2500, seed=k) for k in range(3)]
    for rows in days[1:]:
        rows.columns["age"][:] *= 0.05
    write_days(log, model, days)
    posted: list[dict] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page, metrics = tmp_path / "report.html", tmp_path / "watch.prom"
        status = main([
            "watch", str(bundle), str(log), "--once", "--json", "--report", str(page),
            "--metrics", str(metrics), "--webhook", f"http://127.0.0.1:{server.server_port}/x",
        ])  # fmt: skip
        server.shutdown()
    assert status == 1
    answer = json.loads(capfd.readouterr().out)
    assert answer["breach"] is True
    assert posted[0]["breach"] is True
    assert "monitored" in posted[0]["text"]
    html = page.read_text()
    assert "Quality is breached" in html
    assert "<script" not in html
    assert 'drivetrain_watch_breach{model="monitored",metric="auc"} 1.0' in metrics.read_text()


def test_a_webhook_that_is_deaf_hides_no_breach(tmp_path, bundle, model, capfd) -> None:
    days = [monitored_rows(2500, seed=k) for k in range(3)]
    for rows in days[1:]:
        rows.columns["age"][:] *= 0.05
    write_days(tmp_path, model, days)
    words = ["watch", str(bundle), str(tmp_path), "--once", "--webhook", "http://127.0.0.1:9/"]
    assert main(words) == 1
    assert "webhook" in capfd.readouterr().err
    assert main([*words[:-1], "file:///etc/passwd"]) == 2


def test_a_process_looks_again_and_alerts_of_what_is_new(tmp_path, bundle, model) -> None:
    write_days(tmp_path, model, [monitored_rows(300, seed=1)])
    stopped, said = threading.Event(), []

    def listen(news) -> None:
        said.append(news.message)
        if sum("no breach" in message for message in said) == 2:
            stopped.set()

    settings = KeepWatchingSettings(every_s=1.0)
    report = keep_watching(bundle, tmp_path, settings, progress=listen, stopped=stopped)
    assert report is not None
    assert report.rows == 300


def test_what_is_not_there_is_said(tmp_path, bundle, model, capfd) -> None:
    with pytest.raises(DataError, match="no such folder"):
        watch(bundle, tmp_path / "absent")
    log = tmp_path / "log"
    log.mkdir()
    report = watch(bundle, log)
    assert not report.breach
    assert checks(report) == {"rows"}
    bare = tmp_path / "bare"
    shutil.copytree(bundle, bare)
    (bare / "reference.json").write_text("{}")
    with pytest.raises(BundleError):
        watch(bare, log)


def test_labels_by_command(tmp_path, bundle, model, capfd) -> None:
    log = tmp_path / "log"
    ((ids, rows),) = write_days(log, model, [monitored_rows(80, seed=1)])
    file = label_file(tmp_path / "a.csv", ids, rows.y)
    words = ["labels", "add", str(file), "--log", str(log), "--bundle", str(bundle)]
    assert main([*words, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["matched"] == 80
    assert main(words) == 0
    assert "80 known already" in capfd.readouterr().out
