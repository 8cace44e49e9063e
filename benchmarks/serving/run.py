"""Requests per second of `drivetrain serve`, beside a bare ASGI app on the same server.

    python benchmarks/serving/run.py [--bundle PATH] [--seconds 8] [--connections 8]

One row a request, as JSON records, over keep-alive connections. Server on core 0, load on core 1,
rounds of all in turn, so that a change of the machine's speed meets all; other load on the machine
disturbs the figures by CPU time least. A third server keeps the prediction log. Without
``--bundle`` it serves 500 random trees of 32 leaves over 6 numbers, 6 categories, a boolean and a
time. Needs wrk (Debian: apt-get install wrk).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.runtime.vectors import Vectors
from drivetrain.testing.tabular_bundle import write_tabular_bundle

HERE = Path(__file__).resolve().parent
SERVE = (
    "import sys; from drivetrain.lifecycle.serve import serve; "
    "serve(sys.argv[1], port=int(sys.argv[2]), log=(sys.argv + [None])[3], drain_delay_s=0)"
)
LOGGED = "with its log"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def await_ready(url: str) -> None:
    """Wait until a server answers that it is ready; the port may be open before."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:  # refused, or 503 while it loads
            time.sleep(0.05)
    raise SystemExit(f"{url} is not ready after 30 s")


@contextmanager
def pinned_server(command: list[str], port: int) -> Iterator[tuple[str, int]]:
    """Run a server on core 0 until the block ends; gives its URL and process id."""
    process = subprocess.Popen(["taskset", "-c", "0", sys.executable, *command])
    try:
        await_ready(f"http://127.0.0.1:{port}/ping")
        yield f"http://127.0.0.1:{port}/invocations", process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def cpu_s(process: int) -> float:
    """Return the CPU time that a process and its children have used, the kernel's share too."""
    parent = psutil.Process(process)
    times = [each.cpu_times() for each in (parent, *parent.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def wrk(
    url: str, process: int, body: bytes, *, connections: int, seconds: float
) -> dict[str, float]:
    """Load a URL from core 1 with a closed loop; latencies in ms, the server's CPU time in µs."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        text = body.decode().replace("\\", "\\\\").replace("'", "\\'")
        script.write(f"wrk.method='POST'\nwrk.body='{text}'\n")
        script.write("wrk.headers['Content-Type']='application/json'\n")
        script.flush()
        command = [
            "taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
            "-s", script.name, url,
        ]  # fmt: skip
        used_s = cpu_s(process)
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used_s = cpu_s(process) - used_s
    if "Non-2xx" in out:
        raise SystemExit(f"errors from {url}:\n{out}")
    found = {"requests_per_s": float(re.findall(r"Requests/sec:\s+([\d.]+)", out)[0])}
    served = int(re.findall(r"(\d+) requests in", out)[0])
    found["cpu_us"] = used_s / served * 1e6
    for share in ("50", "99"):
        value, unit = re.findall(rf"{share}%\s+([\d.]+)(us|ms|s)", out)[0]
        found[f"p{share}_ms"] = float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
    return found


def in_process_us(model: Model, row: dict[str, Any]) -> float:
    """Measure one row through the model without a server, in microseconds (median)."""
    times = []
    for _ in range(2000):
        began = time.perf_counter_ns()
        model.predict_row(row)
        times.append((time.perf_counter_ns() - began) / 1000)
    return statistics.median(times)


def measure(bundle: Path, *, connections: int, seconds: float, rounds: int) -> dict[str, Any]:
    found = read_bundle(bundle)
    model = Model(found, threads=1)
    row = msgspec.json.decode(found.vectors, type=Vectors).rows[0]
    body = msgspec.json.encode({"dataframe_records": [row]})
    with tempfile.TemporaryDirectory() as log, ExitStack() as running:
        ports = [str(free_port()) for _ in range(3)]
        commands = {
            "drivetrain": ["-c", SERVE, str(bundle), ports[0]],
            LOGGED: ["-c", SERVE, str(bundle), ports[1], log],
            "bare ASGI": [str(HERE / "bare.py"), ports[2]],
        }
        servers = {
            name: running.enter_context(pinned_server(command, int(port)))
            for (name, command), port in zip(commands.items(), ports, strict=True)
        }
        samples: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        for server in servers.values():
            wrk(*server, body, connections=connections, seconds=1)  # warm
        for _ in range(rounds):
            for name, server in servers.items():
                share = max(1, int(seconds / rounds))
                samples[name].append(wrk(*server, body, connections=connections, seconds=share))
    sides = {
        name: {key: statistics.median(sample[key] for sample in taken) for key in taken[0]}
        for name, taken in samples.items()
    }
    rate = sides["drivetrain"]["requests_per_s"]
    logged = sides[LOGGED]
    return {
        "sides": sides,
        "share_of_bare": rate / sides["bare ASGI"]["requests_per_s"],
        "share_of_bare_by_cpu": sides["bare ASGI"]["cpu_us"] / sides["drivetrain"]["cpu_us"],
        "log_cost": 1 - logged["requests_per_s"] / rate,
        "log_cost_by_cpu": logged["cpu_us"] / sides["drivetrain"]["cpu_us"] - 1,
        "in_process_row_us": in_process_us(model, row),
        "cpu": os.cpu_count(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        bundle = given.bundle or Path(folder) / "random.bundle"
        if given.bundle is None:
            write_tabular_bundle(bundle, numbers=6, categories=6, trees=500)
        found = measure(
            bundle, connections=given.connections, seconds=given.seconds, rounds=given.rounds
        )
    if given.json:
        print(json.dumps(found))
        return
    print(f"{'server':<12} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs/request':>15}")
    for name, side in found["sides"].items():
        print(
            f"{name:<12} {side['requests_per_s']:>11,.0f} {side['p50_ms']:>8.2f} "
            f"{side['p99_ms']:>8.2f} {side['cpu_us']:>15.0f}"
        )
    told = (
        ("requests/s", f"{found['sides']['drivetrain']['requests_per_s']:,.0f}", "≥ 6,000"),
        ("share of the bare app", f"{found['share_of_bare']:.0%}", "≥ 50 %"),
        ("the same by CPU time", f"{found['share_of_bare_by_cpu']:.0%}", "-"),
        ("the log's cost in requests", f"{found['log_cost']:.0%}", "≤ 10 %"),
        ("the log's cost in CPU time", f"{found['log_cost_by_cpu']:.0%}", "-"),
    )
    print(f"\n{'':<28} {'measured':>9} {'goal':>8}")
    for name, figure, goal in told:
        print(f"{name:<28} {figure:>9} {goal:>8}")
    print(f"one row in process: {found['in_process_row_us']:.0f} µs")


if __name__ == "__main__":
    main()
