"""Peak, latency at half of it, and overload: `drivetrain serve` beside a bare ASGI app.

    python benchmarks/serving/overload.py [--bundle PATH] [--seconds 4] [--rows 1] [--json]

One worker on core 0, the load generator (load.c, compiled here) on core 1. The peak is a closed
loop over 8 connections, in rounds of all servers in turn; an epoll loop in C that answers fixed
bytes is the ceiling. Latency at half of the peak is by an open loop: it counts from the moment a
request should have been sent. Overload offers 2, 5 and 10 times the peak over 1,000 connections;
answers are timed from the moment the request was sent. A client that is refused waits the second
that Retry-After asks for, but for the line "hasty", where all ask again at once. Needs gcc.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec
import psutil

from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.vectors import Vectors
from drivetrain.testing.tabular_bundle import write_tabular_bundle

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.serving.run import HERE, SERVE, cpu_s, free_port, pinned_server


def compiled(name: str, folder: Path) -> str:
    binary = folder / name
    subprocess.run(["gcc", "-O2", "-o", str(binary), str(HERE / f"{name}.c")], check=True)
    return str(binary)


def request_bytes(body: bytes) -> bytes:
    return (
        b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


CONNECTIONS = 1000
SETTLE_S = 1.0


class Server(NamedTuple):
    port: int
    process: int


class Load:
    """The generator on core 1."""

    def __init__(self, binary: str, request: bytes) -> None:
        self.binary = binary
        self.request = request

    def run(
        self, server: Server, *, connections: int, rate: float, seconds: float, rest_ms: float = 0
    ) -> dict[str, Any]:
        """Load a server; adds the answers that it gave in a second of its own CPU time.

        Half as long again at the beginning is not counted: connections open, queues fill.
        """
        warm_s = seconds / 2
        command = [
            "taskset", "-c", "1", self.binary, "127.0.0.1", str(server.port), str(connections),
            str(rate), str(seconds + warm_s), "1000", str(rest_ms), str(warm_s),
        ]  # fmt: skip
        generator = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        used: list[float] = []
        timer = threading.Timer(warm_s, lambda: used.append(cpu_s(server.process)))
        timer.start()
        out, _ = generator.communicate(self.request)
        timer.join()
        used.append(cpu_s(server.process))
        found: dict[str, Any] = json.loads(out)
        time.sleep(SETTLE_S)  # what the generator left behind is answered to nobody
        found["per_cpu_s"] = found["200"]["count"] / (used[1] - used[0])
        return found


@contextmanager
def pinned_program(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(["taskset", "-c", "0", *command])
    try:
        time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def rate_of(found: dict[str, Any], status: str = "200") -> float:
    return float(found[status]["count"] / found["seconds"])


def measure(bundle: Path, *, rows: int, seconds: float, rounds: int) -> dict[str, Any]:
    vectors = msgspec.json.decode(read_bundle(bundle).vectors, type=Vectors)
    records = [vectors.rows[index % len(vectors.rows)] for index in range(rows)]
    request = request_bytes(msgspec.json.encode({"dataframe_records": records}))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        load = Load(compiled("load", Path(folder)), request)
        ports = {name: free_port() for name in ("drivetrain", "bare ASGI", "epoll in C")}
        ours, bare, ceiling = ports.values()
        started = {
            "drivetrain": pinned_server(["-c", SERVE, str(bundle), str(ours)], ours),
            "bare ASGI": pinned_server([str(HERE / "bare.py"), str(bare)], bare),
        }
        running = {
            name: Server(ports[name], servers.enter_context(server)[1])
            for name, server in started.items()
        }
        epoll = [compiled("epoll", Path(folder)), str(ceiling)]
        running["epoll in C"] = Server(ceiling, servers.enter_context(pinned_program(epoll)))
        closed: dict[str, list[dict[str, Any]]] = {name: [] for name in running}
        for _ in range(rounds + 1):
            for name, server in running.items():
                found = load.run(server, connections=8, rate=0, seconds=seconds / rounds)
                closed[name].append(found)
        peak = {name: median(map(rate_of, taken[1:])) for name, taken in closed.items()}
        by_cpu = {
            name: median(one["per_cpu_s"] for one in taken[1:]) for name, taken in closed.items()
        }
        result: dict[str, Any] = {"rows": rows, "peak": peak, "by_cpu": by_cpu}
        result["half"] = {
            name: load.run(running[name], connections=32, rate=peak[name] / 2, seconds=seconds)
            for name in started
        }
        result["overload"] = {}
        for factor, rest_ms in ((2, 1000), (5, 1000), (10, 1000), (10, 0)):
            rate = factor * peak["drivetrain"]
            found = load.run(
                running["drivetrain"], connections=CONNECTIONS, rate=rate, seconds=seconds,
                rest_ms=rest_ms,
            )  # fmt: skip
            found["goodput"] = rate_of(found) / peak["drivetrain"]
            found["goodput_by_cpu"] = found["per_cpu_s"] / by_cpu["drivetrain"]
            result["overload"][f"{factor}×" + ("" if rest_ms else " hasty")] = found
        result["load_average"] = os.getloadavg()[0]
        result["cpu"] = psutil.cpu_count()
    return result


def show(found: dict[str, Any]) -> None:
    peak, by_cpu = found["peak"], found["by_cpu"]
    print(f"{found['rows']} row(s) a request; load average {found['load_average']:.1f}\n")
    print(
        f"{'server':<12} {'peak/s':>9} {'per CPU s':>10} {'half p50 ms':>12} {'half p99 ms':>12} "
        f"{'p99.9 ms':>9}"
    )
    for name, rate in peak.items():
        print(f"{name:<12} {rate:>9,.0f} {by_cpu[name]:>10,.0f}", end="")
        half = found["half"].get(name, {}).get("200")
        widths = (("p50", 12), ("p99", 12), ("p999", 9)) if half else ()
        print("".join(f" {half[key] / 1e3:>{width}.2f}" for key, width in widths))
    for name in ("bare ASGI", "epoll in C"):
        share = peak["drivetrain"] / peak[name]
        print(f"share of {name}: {share:.0%}, by CPU {by_cpu['drivetrain'] / by_cpu[name]:.0%}")
    half = found["half"]["drivetrain"]["200"]
    share = peak["drivetrain"] / peak["bare ASGI"]
    print(
        f"goals: share of bare ASGI ≥ 50 % ({share:.0%} measured), "
        f"p99 at half the peak ≤ 5 ms ({half['p99'] / 1e3:.2f} measured)"
    )
    print(
        f"\n{'offered':<10} {'goodput':>8} {'by CPU':>7} {'200 p99 ms':>11} {'503/s':>8} "
        f"{'503 p50/p99 ms':>16}"
    )
    for factor, one in found["overload"].items():
        refused = one["503_sent"]
        times = "-"
        if refused["count"]:
            times = f"{refused['p50'] / 1e3:.2f} / {refused['p99'] / 1e3:.2f}"
        print(
            f"{factor:<10} {one['goodput']:>8.0%} {one['goodput_by_cpu']:>7.0%} "
            f"{one['200_sent']['p99'] / 1e3:>11.2f} {rate_of(one, '503'):>8,.0f} {times:>16}"
        )
        if one["broken"] + one["other"]:
            print(f"         broken {one['broken']}, other answers {one['other']}")
    worst = found["overload"]["10×"]
    refused = worst["503_sent"]
    print(
        f"goals at 10×: goodput ≥ 90 % (measured {worst['goodput']:.0%}, by CPU "
        f"{worst['goodput_by_cpu']:.0%}), refusals < 5 ms (measured p50 "
        f"{refused.get('p50', 0) / 1e3:.2f}, p99 {refused.get('p99', 0) / 1e3:.2f} ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if shutil.which("gcc") is None:
        raise SystemExit("gcc is not installed")
    with tempfile.TemporaryDirectory() as folder:
        bundle = given.bundle or Path(folder) / "random.bundle"
        if given.bundle is None:
            write_tabular_bundle(bundle, numbers=6, categories=6, trees=500)
        found = measure(bundle, rows=given.rows, seconds=given.seconds, rounds=given.rounds)
    if given.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
