"""Every block of docs/serving.md works, and every option and metric that it names exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.cli.commands.predict import command as predict_command
from drivetrain.cli.commands.serve import command
from drivetrain.cli.commands.train import command as train_command
from drivetrain.cli.parse import parse
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.program import Member, Program, lower
from drivetrain.runtime.admit import admit
from drivetrain.runtime.session import Session
from drivetrain.serve.auth import Keys
from drivetrain.serve.desired import read_document
from drivetrain.testing.server_process import ServerProcess

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "serving.md").read_text("utf-8")
LINES = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()
]

pytestmark = pytest.mark.xdist_group("serving processes")


def write_income_bundle(path: Path) -> None:
    """Write a model of the columns that the page's requests have."""
    cities = ("Lyon", "Oslo")
    contract = Contract(
        columns=(
            Column(name="age", kind="number"),
            Column(name="city", kind="category", categories=cities),
        ),
        target=Target(name="rich", task="binary", classes=("no", "yes"), label_type="string"),
    )
    codes = np.array([[0.5], [-0.5]], dtype=np.float32)
    encoders = (
        (Number("age", "features", fill=0.0),),
        (Lookup("city", "features", cities, codes, np.zeros(1, np.float32)),),
    )
    linear = Linear(np.ones((2, 1)), np.zeros(1))
    model = lower(Program(contract, (Member("linear", encoders, ((linear,),), "sigmoid"),)))
    rows = [{"age": age, "city": city} for age in (-39.0, 0.0, 39.0) for city in cities]
    columns = admit(contract, rows).columns
    outputs = Session(model, threads=1).run(columns, len(rows))
    manifest = Manifest(
        drivetrain="0",
        name="income",
        contract=contract,
        outputs=(
            Output(name="prediction", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, 2)),
        ),
        metric="auc",
        scorecard={},
        recipes=(),
        proof=Proof(rows=0, adversarial_rows=0, max_abs_diff=0.0, tolerance=1e-5, label_flips=0),
        lineage=Lineage(
            data_fingerprint="", rows=0, source="random", settings={}, packages={}, python="",
            seed=0,
        ),
    )  # fmt: skip
    write_bundle(path, manifest, model, make_vectors(contract, rows, columns, outputs))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    bundle = tmp_path_factory.mktemp("serving") / "income.bundle"
    write_income_bundle(bundle)
    running = ServerProcess(bundle, model_name="income", drain_delay_s=0.0)
    yield running
    assert running.stop() == 0


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("curl ")])
def test_each_request_is_answered(server: ServerProcess, line: str) -> None:
    asked = line.replace("localhost:8080", server.url)
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if "predict" in line or "invocations" in line or "score" in line:
        assert '"yes"' in done.stdout


def test_each_command_line_has_only_options_that_exist() -> None:
    lines = [line for line in LINES if "drivetrain serve " in line]
    assert len(lines) == 4
    for line in lines:
        parse(shlex.split(line.partition("drivetrain serve ")[2]), "serve", command)
    (line,) = [line for line in LINES if line.startswith("drivetrain train ")]
    parse(shlex.split(line)[2:], "train", train_command)
    (line,) = [line for line in LINES if line.startswith("drivetrain predict ")]
    parse(shlex.split(line)[2:], "predict", predict_command)
    known = (DOCS / "cli.md").read_text("utf-8")
    for option in re.findall(r"--[a-z][a-z-]+", re.sub(r"```.*?```", "", PAGE, flags=re.S)):
        assert f"  {option} " in known or f"  {option}\n" in known, option


def test_the_key_and_the_document_can_be_read(tmp_path: Path) -> None:
    (line,) = [line for line in LINES if line.startswith("drivetrain key ")]
    words = [sys.executable, "-m", *shlex.split(line)]
    key = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    Keys.read(tmp_path / "keys").check(f"Bearer {key.strip()}", "predict")
    (document,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    (tmp_path / "state.json").write_text(document)
    state = read_document(tmp_path / "state.json")
    assert (state.shares, state.shadow) == ({"champion": 90, "challenger": 10}, ("next",))


def test_the_metrics_and_paths_that_it_names_are_served(server: ServerProcess) -> None:
    shown = httpx.get(f"{server.url}/metrics").text
    for name in re.findall(r"`(drivetrain_\w+)`", PAGE):
        assert name in shown, name
    for path in ("/", "/ping", "/health", "/v2/health/live", "/v1/models/income"):
        assert httpx.get(server.url + path).status_code == 200, path
    paths = msgspec.json.decode(httpx.get(f"{server.url}/openapi.json").content)["paths"]
    assert "/score" in paths
