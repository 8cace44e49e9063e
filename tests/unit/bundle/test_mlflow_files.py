"""The files that make a bundle an MLflow model, read without MLflow."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drivetrain.core.errors import SettingError
from drivetrain.core.manifest import UNSEALED_FILES, Manifest
from drivetrain.runtime.pyfunc import _load_pyfunc
from drivetrain.testing.tabular_bundle import tabular_rows, write_tabular_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "tabular"
    write_tabular_bundle(path)
    return path


def read(file: Path) -> dict:
    return msgspec.json.decode(file.read_bytes())


def test_they_are_unsealed_and_the_same_each_time(bundle: Path, tmp_path: Path) -> None:
    sealed = set(msgspec.json.decode((bundle / "manifest.json").read_bytes(), type=Manifest).files)
    beside = {file.name for file in bundle.iterdir()} - sealed - {"manifest.json"}
    write_tabular_bundle(tmp_path / "again")

    assert {"MLmodel", "input_example.json", "requirements.txt"} <= beside <= UNSEALED_FILES
    for name in beside:
        assert (bundle / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_signature_has_every_column_in_order_and_types_only_texts(bundle: Path) -> None:
    model = read(bundle / "MLmodel")
    inputs = msgspec.json.decode(model["signature"]["inputs"])

    assert [one["name"] for one in inputs] == list(model["metadata"]["kinds"])
    assert {one["type"] for one in inputs if one["name"].startswith("category")} == {"string"}
    assert {one["type"] for one in inputs if one["name"].startswith("number")} == {"any"}
    assert all(one["required"] for one in inputs)


def test_the_loader_answers_as_the_model_and_knows_two_methods(bundle: Path) -> None:
    loaded = _load_pyfunc(str(bundle))
    rows = tabular_rows(loaded.model.contract, 5)

    assert loaded.predict(rows).tolist() == loaded.model.predict(rows).tolist()
    assert loaded.predict(rows, {"method": "predict_proba"}).shape == (5, 2)
    with pytest.raises(SettingError, match="predict_proba"):
        loaded.predict(rows, {"method": "explain"})
