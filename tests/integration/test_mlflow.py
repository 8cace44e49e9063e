"""MLflow: a bundle is a model of it, and a real server shows runs, versions and aliases."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from drivetrain.cli.main import main
from drivetrain.core.errors import DataError, MissingLibraryError, ResourceError, SettingError
from drivetrain.lifecycle import tracking
from drivetrain.lifecycle.history import history
from drivetrain.lifecycle.mirror import mirror
from drivetrain.lifecycle.promote import promote
from drivetrain.lifecycle.register import register
from drivetrain.lifecycle.rollback import rollback
from drivetrain.lifecycle.train import TrainResult, train
from drivetrain.registry.ledger import Ledger
from drivetrain.runtime.model import Model
from drivetrain.testing.mlflow_server import find_mlflow, running_mlflow, wait_for
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle

REPOSITORY = Path(__file__).resolve().parents[2]

# A server takes ten seconds to start: all tests go to one worker.
pytestmark = pytest.mark.xdist_group("mlflow")


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """MLflow warns of itself while it is imported; what it warns of later counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc  # noqa: F401


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = find_mlflow(REPOSITORY)
    if program is None:
        pytest.skip("no MLflow server is installed: make mlflow")
    with running_mlflow(program, tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    from mlflow import MlflowClient

    return MlflowClient()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    for trees in (1, 2, 3):
        write_tabular_bundle(folder / str(trees), trees=trees)
    return [folder / str(trees) for trees in (1, 2, 3)]


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def frame_of(bundle: Path) -> pd.DataFrame:
    return pd.DataFrame(tabular_rows(Model.load(bundle).contract, 40, seed=5))


def test_pyfunc_loads_a_bundle_and_predicts_what_it_predicts(bundles: list[Path]) -> None:
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(bundles[0]))
    own = Model.load(bundles[0])
    rows = frame_of(bundles[0])

    assert loaded.metadata.signature.inputs.input_names() == list(own.contract.names)
    assert loaded.predict(rows).tolist() == own.predict(rows).tolist()
    chances = loaded.predict(rows, params={"method": "predict_proba"})
    np.testing.assert_array_equal(chances, own.predict_proba(rows))
    assert len(loaded.predict(loaded.input_example)) == len(loaded.input_example) > 1


def test_a_whole_number_and_a_missing_one_are_not_refused_by_the_signature(
    bundles: list[Path],
) -> None:
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(bundles[0]))
    row = frame_of(bundles[0]).iloc[:2].assign(number_0=[4, 5], number_1=[None, 1.5], flag=[1, 0])

    assert row["number_0"].dtype == np.int64
    assert len(loaded.predict(row)) == 2


def test_mlflow_serves_a_bundle(bundles: list[Path], tmp_path: Path) -> None:
    port = 20_000 + os.getpid() % 20_000
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    words = [str(programs / "mlflow"), "models", "serve", "--model-uri", str(bundles[0]),
             "--env-manager", "local", "--port", str(port)]  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        served = subprocess.Popen(
            words, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", served)
            body = (bundles[0] / "serving_input_example.json").read_bytes()
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(asked, timeout=30) as answer:
                said = json.load(answer)["predictions"]
        finally:
            os.killpg(served.pid, 15)
            served.wait(30)
    split = json.loads(body)["dataframe_split"]
    rows = [dict(zip(split["columns"], cells)) for cells in split["data"]]
    assert said == Model.load(bundles[0]).predict(rows).tolist()


def test_versions_and_aliases_are_mirrored_and_load_from_the_registry(
    client, bundles: list[Path], ledger: str
) -> None:
    import mlflow.pyfunc

    for bundle in bundles[:2]:
        register(bundle, "shown", ledger=ledger)
    promote("shown", 1, ledger=ledger)
    promote("shown", 2, ledger=ledger)

    there = client.get_registered_model("shown")
    assert there.aliases == {"champion": "2"}
    loaded = mlflow.pyfunc.load_model("models:/shown@champion")
    rows = frame_of(bundles[1])
    assert loaded.predict(rows).tolist() == Model.load(bundles[1]).predict(rows).tolist()
    rollback("shown", ledger=ledger)
    assert client.get_registered_model("shown").aliases == {"champion": "1"}
    assert mirror("shown", ledger=ledger).findings == ()
    assert len(client.search_model_versions("name='shown'")) == 2  # mirrored once, however often


def test_an_alias_moved_in_mlflow_by_hand_is_a_finding_and_is_put_back(
    client, bundles: list[Path], ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for bundle in bundles:
        register(bundle, "moved", ledger=ledger)
    promote("moved", 1, ledger=ledger)
    client.set_registered_model_alias("moved", "champion", "3")
    client.set_registered_model_alias("moved", "challenger", "2")

    (second, first) = mirror("moved", check=True, ledger=ledger).findings
    assert "champion" in first.where
    assert "to version 3" in first.what
    assert "challenger" in second.where
    assert [f.check for f in history("moved", ledger=ledger).findings] == ["mlflow_alias"] * 2
    assert main(["mirror", "moved", "--check", "--ledger", ledger]) == 1
    assert "moved there by hand" in " ".join(capsys.readouterr().out.split())
    with pytest.warns(UserWarning, match="moved there by hand"):
        promote("moved", 2, ledger=ledger)
    assert client.get_registered_model("moved").aliases == {"champion": "2"}
    assert main(["mirror", "moved", "--json", "--ledger", ledger]) == 0
    assert json.loads(capsys.readouterr().out)["aliases"] == {"champion": 2}


def test_a_server_that_does_not_answer_loses_no_promotion(
    bundles: list[Path], ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(bundles[0], "kept", ledger=ledger)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.warns(UserWarning, match="drivetrain mirror kept") as warned:
        promote("kept", 1, ledger=ledger)

    assert len(warned) == 1
    assert Ledger(ledger).version("kept", "champion").version == 1
    with pytest.raises(ResourceError, match="MLFLOW_TRACKING_URI"):
        mirror("kept", ledger=ledger)


def test_without_a_server_nothing_is_asked_of_mlflow(
    bundles: list[Path], ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code = (
        "import sys; sys.modules['mlflow'] = None\n"
        "from drivetrain.lifecycle.register import register\n"
        "from drivetrain.lifecycle.promote import promote\n"
        f"register({str(bundles[0])!r}, 'plain', ledger={ledger!r})\n"
        f"print(promote('plain', 1, ledger={ledger!r}).version)"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert ran.stdout.strip() == "1", ran.stderr
    with pytest.raises(SettingError, match="MLFLOW_TRACKING_URI"):
        mirror("plain", ledger=ledger)


def test_a_server_without_the_library_is_a_warning_that_names_the_extra(
    bundles: list[Path], ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "mlflow", None)

    with pytest.warns(UserWarning, match=r"drivetrain\[mlflow\]"):
        register(bundles[0], "absent", ledger=ledger)

    with pytest.raises(MissingLibraryError, match=r"drivetrain\[mlflow\]"):
        mirror("absent", ledger=ledger)


def test_what_mlflow_reads_is_no_part_of_the_seal(bundles: list[Path], tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(bundles[0], copy)
    (copy / "MLmodel").write_text("flavors: {}")
    (copy / "requirements.txt").unlink()

    assert Model.load(copy).manifest == Model.load(bundles[0]).manifest
    assert msgspec.json.decode((bundles[0] / "MLmodel").read_bytes())["signature"]


def small_table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    x = random.normal(size=600)
    return pd.DataFrame({"x": x, "y": np.where(x + random.normal(size=600) > 0, "yes", "no")})


def trained(out: Path, **settings: object) -> TrainResult:
    return train(small_table(), "y", out=out, time_limit=20, trials=1, workers=0, **settings)


def test_a_training_is_a_run_and_registering_its_bundle_takes_the_run(
    client, tmp_path: Path, ledger: str
) -> None:
    result = trained(tmp_path / "bundle", name="tracked")

    run = client.get_run(result.mlflow_run)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tracked"
    assert run.data.metrics["score"] == pytest.approx(result.score)
    assert run.data.metrics[result.metric] == pytest.approx(result.score)
    assert run.data.params["time_limit"] == "20.0"
    assert run.data.params["found.rows"] == "600"
    assert "model/model.onnx" in {
        file.path for file in client.list_artifacts(run.info.run_id, "model")
    }
    register(tmp_path / "bundle", "tracked", ledger=ledger)
    (version,) = client.search_model_versions("name='tracked'")
    assert version.run_id == run.info.run_id


def test_a_training_that_is_refused_is_a_failed_run(client, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        train(small_table(), "absent", out=tmp_path / "bundle", name="refused")

    experiment = client.get_experiment_by_name("drivetrain").experiment_id
    (run,) = client.search_runs([experiment], "attributes.run_name = 'refused'")
    assert run.info.status == "FAILED"
    assert "absent" in run.data.tags["drivetrain.error"]


def test_a_server_that_does_not_answer_loses_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.warns(UserWarning, match="not tracked") as warned:
        result = trained(tmp_path / "bundle")

    assert len(warned) == 1
    assert result.mlflow_run is None
    assert Model.load(tmp_path / "bundle").classes.tolist() == ["no", "yes"]


def test_a_server_that_hangs_is_waited_for_and_then_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.warns(UserWarning, match=r"no answer within 0\.2 s"):
            result = trained(tmp_path / "bundle")

    assert result.mlflow_run is None
