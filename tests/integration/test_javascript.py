"""A bundle scored from Node.js and in a browser: the numbers of its vectors, by the examples.

Node's engine is 290 MB, so these run in ``make prove`` (DRIVETRAIN_PROVE=1), which installs the
packages once into ``.benchmarks/javascript``; where they are there, ``make test`` runs the tests
that need no training.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import polars as pl
import pytest

import drivetrain as dt
from drivetrain.testing.tabular_bundle import write_tabular_bundle

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples" / "javascript"
CACHE = REPOSITORY / ".benchmarks" / "javascript"
FILES = ("vectors.mjs", "score.mjs", "index.html", "package.json")
IS_PROOF = os.environ.get("DRIVETRAIN_PROVE") == "1"
INSTALL = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund")

pytestmark = pytest.mark.xdist_group("javascript")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A copy of the example's folder, its packages installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    modules = CACHE / "node_modules"
    if not modules.is_dir():
        if not IS_PROOF:
            pytest.skip("the packages are not installed; DRIVETRAIN_PROVE=1 installs them")
        _install()
    folder = tmp_path_factory.mktemp("javascript")
    for name in FILES:
        shutil.copy(EXAMPLE / name, folder)
    (folder / "node_modules").symlink_to(modules)
    return folder


def _install() -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    shutil.copy(EXAMPLE / "package.json", CACHE)
    done = subprocess.run(INSTALL, cwd=CACHE, capture_output=True, text=True, timeout=300)
    if done.returncode:
        shutil.rmtree(CACHE / "node_modules", ignore_errors=True)
        pytest.skip(f"npm cannot install the packages here: {done.stderr.strip()[-200:]}")


def _mixed(rows: int = 600) -> pl.DataFrame:
    """A column of every kind, and three classes that hang on them."""
    random = np.random.default_rng(0)
    words = ["late", "größe", "delivery", "naïve", "寿", "fast", "refund"]
    frame = pl.DataFrame(
        {
            "amount": random.normal(size=rows).cumsum(),
            "member": random.random(rows) < 0.5,
            "city": random.choice(["Bern", "Genf", "Zürich", "x y"], rows),
            "account": [str(2**53 + int(n)) for n in random.integers(0, 40, rows)],
            "note": [" ".join(random.choice(words, 5)) for _ in range(rows)],
            "place": random.normal(size=(rows, 3)).tolist(),
            "when": [f"20{n:02d}-03-0{n % 9 + 1} 11:22:33" for n in random.integers(1, 24, rows)],
        }
    ).with_columns(pl.when(pl.int_range(rows) % 7 > 0).then("amount"))
    late = frame["note"].str.contains("late").cast(pl.Int64)
    plan = (late + frame["member"].cast(pl.Int64)).replace_strict({0: "a", 1: "b", 2: "ç"})
    return frame.with_columns(plan=plan)


@pytest.fixture(scope="module", params=["trees", "trained", "regression"])
def bundle(request, page, tmp_path_factory) -> Path:
    """Bundles with every kind of column and of output."""
    path = tmp_path_factory.mktemp("bundles") / request.param
    if request.param != "trees" and not IS_PROOF:
        pytest.skip("trains for 20 s; DRIVETRAIN_PROVE=1 runs it")
    if request.param == "trees":
        write_tabular_bundle(path, coverage=0.9)
    else:
        frame = _mixed()
        target, costs = "plan", ["a:b=3"]
        if request.param == "regression":
            frame, target, costs = frame.drop("plan").drop_nulls("amount"), "amount", []
        dt.train(
            frame, target, out=path, trials=3, time_limit=20, seed=0,
            coverage=0.9, costs=costs, out_of_range=True,
        )  # fmt: skip
    return path


def test_node_answers_with_the_numbers_of_the_vectors(page, bundle):
    said = _node(page, bundle)
    assert said["passed"] and said["labels"] == 0 and said["rows"] >= 16
    assert said["largest"] <= 1e-6
    print(f"Node.js, {bundle.name}: {said}")


def test_node_notices_another_flag(page, bundle, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(bundle, changed)
    vectors = json.loads((changed / "vectors.json").read_text())
    (flag,) = [output for output in vectors["outputs"] if output["name"] == "out_of_range"]
    flag["values"][0] = not flag["values"][0]
    (changed / "vectors.json").write_text(json.dumps(vectors))
    assert _node(page, changed, status=1)["labels"] == 1


def test_node_notices_another_answer(page, bundle, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(bundle, changed)
    vectors = json.loads((changed / "vectors.json").read_text())
    output = next(out for out in vectors["outputs"] if out["type"] in ("float", "double"))
    output["values"][0] += 0.001 * max(1.0, *map(abs, output["values"]))
    (changed / "vectors.json").write_text(json.dumps(vectors))
    assert not _node(page, changed, status=1)["passed"]
    labels = next((out for out in vectors["outputs"] if out["type"] == "string"), None)
    if labels is not None:
        labels["values"][0] += "?"
        (changed / "vectors.json").write_text(json.dumps(vectors))
        assert _node(page, changed, status=1)["labels"] == 1


def test_a_browser_answers_with_the_numbers_of_the_vectors(page, bundle, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if browser is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    shutil.rmtree(page / "bundle", ignore_errors=True)
    shutil.copytree(bundle, page / "bundle")
    with _serving(page) as (port, reports):
        said = _open(browser, f"http://127.0.0.1:{port}/index.html?report=/", reports, tmp_path)
    assert said["passed"], said
    assert said["largest"] <= 1e-6
    print(f"browser, {bundle.name}: {said}")


def _node(page: Path, bundle: Path, *, status: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        ["node", "score.mjs", str(bundle)], cwd=page, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stderr[-2000:]
    return json.loads(done.stdout)


class _Handler(SimpleHTTPRequestHandler):
    """Serves files, and keeps what is posted."""

    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.reports.put(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[tuple[int, Queue[dict[str, Any]]]]:
    handler = functools.partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.reports = Queue()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1], server.reports  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def _open(
    browser: str, address: str, reports: Queue[dict[str, Any]], profile: Path
) -> dict[str, Any]:
    """Open a page without a window and return what it reports."""
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
    command = [browser, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    with subprocess.Popen(
        [*command, address], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            return reports.get(timeout=60)
        except Empty:
            process.kill()
            _, said = process.communicate()
            pytest.fail(f"the page reported nothing within 60 s: {said[-1000:]}")
        finally:
            process.kill()
