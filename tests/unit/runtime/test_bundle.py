"""What is refused when a bundle is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from onnx import ModelProto, TensorProto, helper

from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import Manifest, sealed
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.external_data import has_external_data


def edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def reseal(path: Path, **changes: object) -> None:
    """Change the manifest as someone would who knows how to seal it."""
    file = path / "manifest.json"
    manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    changed = sealed(msgspec.structs.replace(manifest, **changes))
    file.write_bytes(msgspec.json.encode(changed))


def manifest_of(path: Path) -> Manifest:
    return msgspec.json.decode((path / "manifest.json").read_bytes(), type=Manifest)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def link(path: Path) -> None:
    target = path.parent.parent / "elsewhere"
    os.replace(path, target)
    path.symlink_to(target)


def link_endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


ATTACKS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model": (lambda b: (b / "model.onnx").unlink(), "model.onnx: expected a sealed file"),
    "no vectors": (lambda b: (b / "vectors.json").unlink(), "vectors.json"),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "manifest.json: expected a readable"),
    "cut model": (lambda b: os.truncate(b / "model.onnx", 100), "bytes, got 100 bytes"),
    "longer model": (lambda b: lengthen(b / "model.onnx"), "bytes, got more"),
    "flipped bit": (lambda b: flip(b / "model.onnx"), "got other bytes"),
    "flipped vectors": (lambda b: flip(b / "vectors.json"), "got other bytes"),
    "cut manifest": (lambda b: os.truncate(b / "manifest.json", 500), "expected a manifest"),
    "edited metric": (
        lambda b: edit(b / "manifest.json", b'"log_loss"', b'"accuracy"'), "got an edited one"),
    "added field": (
        lambda b: edit(b / "manifest.json", b'"drivetrain":', b'"new": 1, "drivetrain":'),
        "got an edited one"),
    "no JSON": (lambda b: (b / "manifest.json").write_bytes(b"\x80\x04K\x01."), "a manifest"),
    "deep JSON": (
        lambda b: (b / "manifest.json").write_bytes(b'{"protocol":1,"a":' + b"[" * 100_000),
        "a manifest"),
    "newer protocol": (
        lambda b: edit(b / "manifest.json", b'"protocol": 1', b'"protocol": 2'), "Upgrade"),
    "unknown file": (lambda b: (b / "hook.py").write_text("1"), "hook.py: expected no such file"),
    "hidden file": (lambda b: (b / ".hook").write_text("1"), ".hook: expected no such file"),
    "folder": (lambda b: (b / "code").mkdir(), "code: expected a plain file"),
    "linked model": (lambda b: link(b / "model.onnx"), "model.onnx: expected a plain file, got a"),
    "linked known file": (lambda b: link_endless(b / "MLmodel"), "got a link"),
    "path in the manifest": (
        lambda b: reseal(b, files={**manifest_of(b).files,
                                   "../x": manifest_of(b).files["model.onnx"]}),
        "plain file names"),
    "absolute path in the manifest": (
        lambda b: reseal(b, files={**manifest_of(b).files,
                                   "/etc/passwd": manifest_of(b).files["model.onnx"]}),
        "plain file names"),
    "model not sealed": (
        lambda b: reseal(b, files={"vectors.json": manifest_of(b).files["vectors.json"]}),
        "model.onnx: expected a sealed file"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_changed_bundle_is_refused_with_its_file_and_a_remedy(name: str, bundle: Path) -> None:
    attack, said = ATTACKS[name]
    attack(bundle)
    with pytest.raises(BundleError) as refused:
        read_bundle(bundle)
    assert said in str(refused.value)
    assert str(bundle) in refused.value.where
    assert refused.value.remedy.endswith((".", "drivetrain"))


def test_an_unchanged_bundle_is_read_and_what_mlflow_adds_is_left_alone(bundle: Path) -> None:
    (bundle / "MLmodel").write_text("anything")
    found = read_bundle(bundle)
    assert found.manifest.name == "tiny"
    assert found.model == (bundle / "model.onnx").read_bytes()


def test_a_folder_that_is_not_there_and_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        read_bundle(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="a bundle's folder"):
        read_bundle(tmp_path / "file")


def external_model(depth: int) -> bytes:
    """Put a tensor with external data into the graph, or into the branch of an If."""
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "weights.bin"
    graph = helper.make_graph([], "g", [], [], [tensor])
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["o"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([node], "g", [], [])
    return bytes(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_external_data_is_found_however_deep(depth: int) -> None:
    assert has_external_data(external_model(depth))


def test_the_word_location_alone_is_no_external_data() -> None:
    node = helper.make_node("Identity", ["location"], ["o"])
    data = helper.make_tensor("k", TensorProto.STRING, [1], [b"location"])
    model = helper.make_model(helper.make_graph([node], "location", [], [], [data]))
    assert not has_external_data(model.SerializeToString())
    assert ModelProto.FromString(model.SerializeToString()) == model


@pytest.mark.parametrize("data", [b"\x3a\x7flocation", b"\x3b location", b"location\x3a"])
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        has_external_data(data)
