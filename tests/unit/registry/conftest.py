"""A ledger on every database it promises, each a real one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.runtime import tiny

from drivetrain.bundle.write import write_bundle
from drivetrain.registry.ledger import Ledger


def find_program(name: str) -> str | None:
    """Return a PostgreSQL program, from PATH or where Debian puts it."""
    found = shutil.which(name)
    if found:
        return found
    for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True):
        return str(path)
    return None


def as_server_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: root lends the command to the user ``nobody``."""
    if os.getuid() != 0:
        return command
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a PostgreSQL of its own and give its URL."""
    initdb, server = find_program("initdb"), find_program("pg_ctl")
    if not initdb or not server:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # A socket's path is at most 107 characters, and nobody must be able to reach the folder.
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if os.getuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=100"
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    subprocess.run(
        as_server_user([initdb, "-D", str(data), "-U", "tester", "-A", "trust", "-N"]), **run
    )
    start = [server, "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start"]
    subprocess.run(as_server_user(start), **run)
    try:
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run(as_server_user([server, "-D", str(data), "-m", "immediate", "stop"]), **run)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty-enough ledger."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def ledger(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("DRIVETRAIN_STORE", str(tmp_path / "store"))
    return Ledger(url, who="tester")


@pytest.fixture
def small_bundles(tmp_path: Path) -> list[Path]:
    """Three bundles that differ in their seed alone."""
    folders = []
    for seed in range(3):
        first = tmp_path / f"made-{seed}"
        tiny.write(first)
        manifest = tiny.manifest()
        manifest = msgspec.structs.replace(
            manifest, lineage=msgspec.structs.replace(manifest.lineage, seed=seed)
        )
        folder = tmp_path / f"bundle-{seed}"
        write_bundle(
            folder,
            manifest,
            (first / "model.onnx").read_bytes(),
            (first / "vectors.json").read_bytes(),
        )
        folders.append(folder)
    return folders
