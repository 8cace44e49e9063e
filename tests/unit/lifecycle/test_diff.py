"""Two bundles are compared by their manifests."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from drivetrain.bundle.write import write_bundle
from drivetrain.cli.main import main
from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import Manifest
from drivetrain.lifecycle.diff import contract_changes, diff, fits
from drivetrain.runtime.bundle import read_bundle
from drivetrain.testing.monitored import monitored_contract
from drivetrain.testing.monitored_bundle import write_monitored_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diff") / "one"
    write_monitored_bundle(path)
    return path


def changed(bundle: Path, path: Path, **parts: object) -> Path:
    """Write the bundle again with other parts of its manifest."""
    read = read_bundle(bundle)
    manifest: Manifest = msgspec.structs.replace(read.manifest, **parts)
    extra = {"reference.json": (bundle / "reference.json").read_bytes()}
    write_bundle(path, manifest, read.model, read.vectors, extra=extra)
    return path


def test_a_bundle_does_not_differ_from_itself(bundle: Path) -> None:
    found = diff(bundle, bundle)
    assert found.same
    assert found.fits
    assert found.same_rows
    assert not (found.contract or found.data or found.settings or found.recipes or found.slices)


def test_what_was_changed_is_named_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    manifest = read_bundle(bundle).manifest
    age, *others = manifest.contract.columns
    contract = msgspec.structs.replace(
        manifest.contract, columns=(msgspec.structs.replace(age, high=9.0), *others)
    )
    lineage = msgspec.structs.replace(manifest.lineage, rows=7, settings={"time_limit": 9})
    card = json.loads(msgspec.json.encode(manifest.scorecard))
    card["measures"][0]["model"] |= {"score": 0.99, "low": 0.98, "high": 0.995}
    card["slices"]["slices"][0]["score"] = 0.5
    other = changed(bundle, tmp_path / "b", contract=contract, lineage=lineage, scorecard=card)
    found = diff(bundle, other)
    assert [change.what for change in found.contract] == ["column 'age' high"]
    assert [change.what for change in found.data] == ["rows"]
    assert [change.what for change in found.settings] == ["time_limit"]
    assert len(found.slices) == 1
    auc = next(score for score in found.scores if score.metric == "auc")
    assert auc.gain > 0
    assert not auc.overlap
    assert found.fits
    assert not found.same_rows


def test_a_contract_that_wants_another_column_or_answers_otherwise_does_not_fit() -> None:
    contract = monitored_contract()
    fewer = msgspec.structs.replace(contract, columns=contract.columns[:-1])
    assert fits(contract, fewer)
    assert not fits(fewer, contract)
    (change,) = contract_changes(fewer, contract)
    assert (change.what, change.first) == ("column 'place'", None)
    target = msgspec.structs.replace(contract.target, classes=("off", "on"))
    assert not fits(contract, msgspec.structs.replace(contract, target=target))


def test_the_command_prints_it(bundle: Path, tmp_path: Path, capfd) -> None:
    lineage = msgspec.structs.replace(read_bundle(bundle).manifest.lineage, rows=7)
    other = changed(bundle, tmp_path / "b", lineage=lineage)
    assert main(["diff", str(bundle), str(other)]) == 0
    assert "different held-out rows" in capfd.readouterr().out
    assert main(["diff", str(bundle), str(bundle), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["same"] is True
    with pytest.raises(BundleError):
        diff(bundle, tmp_path / "absent")
