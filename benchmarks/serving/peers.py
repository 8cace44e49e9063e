"""MLflow, BentoML and LitServe with 500 LightGBM trees on Adult income, beside ``drivetrain serve``.

    python -m benchmarks.serving.peers --setup
    python -m benchmarks.serving.peers --bundle PATH [--seconds 6] [--again]

One row a request, 8 connections; each server pinned to core 0, the load (wrk) to core 1, one after the
other. Each peer has a virtual environment of its own under .benchmarks/, and fits the same model there.
A peer's figures are kept with a fingerprint of the machine and its version, and taken from there unless
``--again``; drivetrain's are always measured.
"""  # noqa: E501

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
from benchmarks.accuracy.run import WORK, fingerprint
from benchmarks.serving.run import SERVE, await_ready, free_port, pinned_server, wrk

from drivetrain.runtime.bundle import read_bundle

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent.parent / "examples" / "adult_income.csv.gz"
SYSTEMS = HERE / "peer_systems"
MODEL_PACKAGES = ("lightgbm==4.7.0", "scikit-learn==1.9.1", "pandas")
PACKAGES = {
    "mlflow": "mlflow==3.17.2",
    "bentoml": "bentoml==1.4.40",
    "litserve": "litserve==0.2.19",
}
LEFT_OUT = ("fnlwgt", "split")  # the weight, and the part of the original's own split
PATHS = {"mlflow": "/invocations", "bentoml": "/predict", "litserve": "/predict"}
HEALTH = {"mlflow": "/ping", "bentoml": "/readyz", "litserve": "/health"}
ROWS = {"mlflow": "dataframe_records", "bentoml": "rows", "litserve": "rows"}
CONNECTIONS = 8
GOAL = 50.0


def setup() -> None:
    """Make the peers' environments, and fit the model in each."""
    for name, package in PACKAGES.items():
        folder = WORK / name
        if not (folder / "bin" / "python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "-q", package, *MODEL_PACKAGES]
        subprocess.run(pip, check=True)
        model_of(name)


def model_of(name: str) -> Path:
    """Return the folder of a peer's model, which is fitted if it is not there."""
    folder = WORK / "serving" / name
    if not any((folder / made).exists() for made in ("model.joblib", "mlflow")):
        folder.mkdir(parents=True, exist_ok=True)
        script = [str(WORK / name / "bin" / "python"), str(SYSTEMS / "model.py")]
        kind = ["mlflow"] if name == "mlflow" else []
        subprocess.run([*script, str(TABLE), "income", str(folder), *kind], check=True)
    return folder


def command_of(name: str, port: int) -> list[str]:
    """Return how a peer is started, with one worker."""
    bin_folder = WORK / name / "bin"
    if name == "mlflow":
        return [
            str(bin_folder / "mlflow"), "models", "serve", "-m", str(model_of(name) / "mlflow"),
            "-p", str(port), "--env-manager", "local", "--workers", "1",
        ]  # fmt: skip
    if name == "bentoml":
        served = "bentoml_service:Income"
        return [
            str(bin_folder / "bentoml"), "serve", served, "--port", str(port), "--working-dir",
            str(SYSTEMS), "--host", "127.0.0.1",
        ]  # fmt: skip
    return [str(bin_folder / "python"), str(SYSTEMS / "litserve_service.py"), str(port)]


@contextmanager
def peer(name: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Run a peer on core 0; gives the URL to ask and its process."""
    port = free_port()
    environment = {
        **os.environ, "MODEL": str(model_of(name) / "model.joblib"), "BENTOML_DO_NOT_TRACK": "True",
        "PATH": f"{WORK / name / 'bin'}:{os.environ['PATH']}",
    }  # fmt: skip
    environment.pop("PYTHONPATH", None)
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            ["taskset", "-c", "0", *command_of(name, port)],
            env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        await_ready(f"http://127.0.0.1:{port}{HEALTH[name]}")
        yield f"http://127.0.0.1:{port}{PATHS[name]}", process.pid
    finally:
        parent = psutil.Process(process.pid)
        every = [parent, *parent.children(recursive=True)]  # some outlive their parent, and spin
        os.killpg(process.pid, signal.SIGTERM)
        _, left = psutil.wait_procs(every, timeout=20)
        for each in left:
            each.kill()


def measured(name: str, row: dict[str, Any], seconds: int, *, again: bool) -> dict[str, float]:
    """Measure a peer, unless its figures are there."""
    kept = WORK / "serving" / fingerprint() / f"{PACKAGES[name]}.json"
    if kept.exists() and not again:
        return dict(json.loads(kept.read_text()))
    kept.parent.mkdir(parents=True, exist_ok=True)
    body = msgspec.json.encode({ROWS[name]: [row]})
    with peer(name, kept.parent) as (url, process):
        wrk(url, process, body, connections=CONNECTIONS, seconds=2)  # warm
        found = wrk(url, process, body, connections=CONNECTIONS, seconds=seconds)
    kept.write_text(json.dumps(found))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--bundle", type=Path, help="bundle of Adult income to serve")
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--again", action="store_true", help="measure the peers again")
    given = parser.parse_args()
    if given.setup:
        setup()
        return
    if given.bundle is None:
        raise SystemExit("name a bundle of Adult income with --bundle, or --setup")
    with gzip.open(TABLE, "rt", encoding="utf-8", newline="") as table:
        first = next(csv.DictReader(table))
    cells = {name: _plain(cell) for name, cell in first.items()}
    row = {name: cell for name, cell in cells.items() if name not in (*LEFT_OUT, "income")}
    asked = {name: cells[name] for name in read_bundle(given.bundle).manifest.contract.names}
    found = {name: measured(name, row, given.seconds, again=given.again) for name in PACKAGES}
    port = free_port()
    with pinned_server(["-c", SERVE, str(given.bundle), str(port)], port) as server:
        body = msgspec.json.encode({"dataframe_records": [asked]})
        wrk(*server, body, connections=CONNECTIONS, seconds=1)
        ours = wrk(*server, body, connections=CONNECTIONS, seconds=given.seconds)
    print(f"{'server':<20} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs/request':>15}")
    for name, side in {
        **{PACKAGES[each]: found[each] for each in found},
        "drivetrain": ours,
    }.items():
        print(
            f"{name:<20} {side['requests_per_s']:>11,.0f} {side['p50_ms']:>8.2f} "
            f"{side['p99_ms']:>8.2f} {side['cpu_us']:>15.0f}"
        )
    best = max(side["requests_per_s"] for side in found.values())
    print(f"\ntimes the best of the three: {ours['requests_per_s'] / best:.0f} (goal {GOAL:.0f})")


def _plain(cell: Any) -> Any:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return cell


if __name__ == "__main__":
    main()
