"""The wheel alone, with its base dependencies, scores and serves."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.testing.bare_install import (
    ABSENT,
    BareInstall,
    build_wheel,
    clean_environment,
    install_bare,
)
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

REPOSITORY = Path(__file__).resolve().parents[2]

# One fixture is worth half a minute: all tests go to one worker.
pytestmark = pytest.mark.xdist_group("bare_wheel")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> BareInstall:
    folder = tmp_path_factory.mktemp("bare")
    wheel = build_wheel(REPOSITORY, folder / "dist")
    yield install_bare(wheel, REPOSITORY / "constraints.txt", folder / "venv")
    shutil.rmtree(folder / "venv")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "tabular"
    write_tabular_bundle(path)
    return path


def test_no_training_and_no_table_library_is_there(bare):
    code = "import sys, importlib.util as u; print(*(n for n in sys.argv[1:] if u.find_spec(n)))"
    assert bare.run("python", "-c", code, *ABSENT).stdout.split() == []
    assert bare.run("python", "-c", code, "numpy", "drivetrain").stdout.split() == [
        "numpy",
        "drivetrain",
    ]


def test_it_scores_as_the_full_install_does(bare, bundle):
    rows = tabular_rows(dt.load(bundle).contract, 20, seed=3)
    code = (
        "import json, sys, drivetrain as dt\n"
        "model = dt.load(sys.argv[1])\n"
        "print(json.dumps(model.predict_proba(json.loads(sys.argv[2])).tolist()))"
    )
    said = bare.run("python", "-c", code, str(bundle), json.dumps(rows)).stdout
    scored = np.array(json.loads(said), dtype=np.float32)
    assert np.array_equal(scored, dt.load(bundle).predict_proba(rows))


def test_it_serves(bare, bundle):
    model = dt.load(bundle)
    rows = tabular_rows(model.contract, 3, seed=4)
    words = [bare.program("drivetrain"), "serve", str(bundle), "--port", "0"]
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, env=clean_environment(), cwd=bare.folder
    ) as server:
        try:
            url = server.stderr.readline().split()[-1]
            body = {"dataframe_records": rows, "params": {"method": "predict_proba"}}
            request = urllib.request.Request(
                f"{url}/invocations",
                json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=30) as answer:
                served = json.load(answer)["predictions"]
        finally:
            server.terminate()
    assert server.returncode == 0
    assert np.array_equal(np.array(served, dtype=np.float32), model.predict_proba(rows))


def test_inspect_and_help_work_and_train_names_what_to_install(bare, bundle):
    assert "verified" in bare.run("drivetrain", "inspect", str(bundle)).stdout
    assert "commands" in bare.run("drivetrain", "--help").stdout

    refused = bare.run("drivetrain", "train", "x.csv", "--target", "y", check=False)
    assert refused.returncode == 3
    assert "pip install 'drivetrain[train]'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_the_wheel_carries_its_types_and_its_licence(bare):
    assert (bare.packages / "drivetrain" / "py.typed").is_file()
    assert list(bare.packages.glob("drivetrain-*.dist-info/licenses/LICENSE"))
    assert not (bare.packages / "tests").exists()
