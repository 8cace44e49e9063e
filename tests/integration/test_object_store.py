"""`drivetrain predict` in and out of a real S3 server, also after it was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.runtime import tiny

from drivetrain.lifecycle.predict import predict

REPOSITORY = Path(__file__).resolve().parents[2]
# s3fs and the server stand in an environment of their own; modules that are here come from here.
S3 = REPOSITORY / ".benchmarks" / "s3"
RUN = (
    "import site, sys; site.addsitedir(sys.argv[1]);"
    "from drivetrain.cli.main import main; sys.exit(main(sys.argv[2:]))"
)
KILLED = (
    "import os, signal, site, sys; site.addsitedir(sys.argv[1]);"
    "from drivetrain.data.parts import Parts; add = Parts.add; done = []\n"
    "def counted(*arguments):\n"
    "    add(*arguments); done.append(1)\n"
    "    if len(done) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
    "Parts.add = counted\n"
    "from drivetrain.cli.main import main; sys.exit(main(sys.argv[2:]))"
)
# The server reads whose key it is, and believes any signature.
SIGNED = {
    "Content-Type": "application/octet-stream",
    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=0",
}
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@pytest.fixture(scope="module")
def libraries() -> str:
    found = sorted(S3.glob("lib/python3*/site-packages"))
    if not (S3 / "bin" / "moto_server").exists():
        pytest.skip("no S3 server is installed: make s3")
    return str(found[0])


@pytest.fixture(scope="module")
def store(libraries: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "server.log").open("w")
    python = str(S3 / "bin" / "python")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(
        [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=log, stderr=log, env=environment | KEYS,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                make = urllib.request.Request(f"{address}/bucket", headers=SIGNED, method="PUT")
                urllib.request.urlopen(make, timeout=5).close()
                break
            assert time.monotonic() < deadline and server.poll() is None
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(10)
        log.close()


def put(store: str, name: str, data: bytes) -> None:
    made = urllib.request.Request(f"{store}/bucket/{name}", data, SIGNED, method="PUT")
    urllib.request.urlopen(made, timeout=10).close()


def get(store: str, name: str) -> bytes:
    asked = urllib.request.Request(f"{store}/bucket/{name}", headers=SIGNED)
    with urllib.request.urlopen(asked, timeout=10) as reply:
        return bytes(reply.read())


@pytest.fixture
def asked(tmp_path: Path, store: str) -> Path:
    """Write a bundle and a table, and put the table into the bucket."""
    tiny.write(tmp_path / "tiny.bundle")
    lines = ["city,age,income,member,since"]
    lines += [f"Bern,{row % 90},{row / 7:.3f},{'yes' if row % 3 else ''},2020-01-02"
              for row in range(100)]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    put(store, "t.csv", (tmp_path / "t.csv").read_bytes())
    predict(tmp_path / "tiny.bundle", tmp_path / "t.csv", tmp_path / "local.csv", piece_rows=20)
    return tmp_path


def run(
    program: str, libraries: str, store: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | KEYS | {"AWS_ENDPOINT_URL": store, "AWS_DEFAULT_REGION": "us-east-1"}
    return subprocess.run(
        [sys.executable, "-c", program, libraries, "predict", str(folder / "tiny.bundle"),
         *arguments, "--piece-rows", "20"],
        env=environment | {"XDG_CACHE_HOME": str(folder / "cache")},
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_bucket_is_read_and_written(asked: Path, store: str, libraries: str) -> None:
    found = run(RUN, libraries, store, asked, "s3://bucket/t.csv", "--out", "s3://bucket/o.csv")
    assert found.returncode == 0, found.stderr
    assert get(store, "o.csv") == (asked / "local.csv").read_bytes()
    assert not list((asked / "cache" / "drivetrain").rglob("*.*"))


def test_a_killed_run_goes_on_where_it_was_and_nothing_is_seen_before(
    asked: Path, store: str, libraries: str
) -> None:
    way = ("s3://bucket/t.csv", "--out", "s3://bucket/killed.csv")
    assert run(KILLED, libraries, store, asked, *way).returncode == -signal.SIGKILL
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(store, "killed.csv")
    found = run(RUN, libraries, store, asked, *way, "--json")
    assert found.returncode == 0, found.stderr
    assert '"resumed_rows": 40' in found.stdout or '"resumed_rows":40' in found.stdout
    assert get(store, "killed.csv") == (asked / "local.csv").read_bytes()


def test_what_is_not_there_is_one_line(asked: Path, store: str, libraries: str) -> None:
    for way in (
        ("s3://bucket/none.csv", "--out", "s3://bucket/o2.csv"),
        ("s3://bucket/t.csv", "--out", "s3://no-such-bucket/o.csv"),
    ):
        found = run(RUN, libraries, store, asked, *way)
        assert found.returncode in (2, 3), found.stderr
        last = found.stderr.strip().splitlines()[-1]
        assert last.startswith("s3://") and last.endswith("]"), found.stderr
        assert "Traceback" not in found.stderr
