"""Bundles made by someone who knows how to seal: what their graph may not do."""

from __future__ import annotations

import ast
import os
import pickle
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from onnx import ModelProto, TensorProto, helper

from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import FileSeal, Manifest, sealed
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model

SOURCES = Path(__file__).resolve().parents[3] / "src" / "drivetrain"
TRIES = 10_000 if os.environ.get("DRIVETRAIN_PROVE") else 300


def put(bundle: Path, model: bytes) -> None:
    """Replace the graph, and seal the bundle again."""
    (bundle / "model.onnx").write_bytes(model)
    file = bundle / "manifest.json"
    manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    seal = FileSeal(sha256=sha256(model).hexdigest(), size_bytes=len(model))
    files = {**manifest.files, "model.onnx": seal}
    file.write_bytes(msgspec.json.encode(sealed(msgspec.structs.replace(manifest, files=files))))


class Canary:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.place),)


def of_another_domain(model: ModelProto) -> None:
    model.opset_import.add(domain="not.built.in", version=1)
    model.graph.node.add(op_type="Run", domain="not.built.in", output=["out_of_it"])


def that_runs_python(model: ModelProto) -> None:
    model.opset_import.add(domain="com.microsoft", version=1)
    model.graph.node.add(op_type="PyOp", domain="com.microsoft", output=["out_of_it"])


def with_sparse_data_outside(model: ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add(dims=[5])
    sparse.values.name, sparse.values.data_type = "s", TensorProto.FLOAT
    sparse.values.data_location = TensorProto.EXTERNAL
    entry = sparse.values.external_data.add()
    entry.key, entry.value = "location", "../weights"


def with_a_tree(true: list[int], false: list[int]) -> Callable[[ModelProto], None]:
    """Add a tree whose node ``i`` goes on to ``true[i]`` or ``false[i]``, a leaf to 0 and 0."""

    def change(model: ModelProto) -> None:
        count = len(true)
        modes = ["BRANCH_LEQ" if any(to) else "LEAF" for to in zip(true, false, strict=True)]
        model.opset_import.add(domain="ai.onnx.ml", version=3)
        half = helper.make_tensor("half", TensorProto.FLOAT, [1, 1], [0.5])
        nodes = {
            "nodes_treeids": [0] * count, "nodes_nodeids": list(range(count)),
            "nodes_featureids": [0] * count, "nodes_values": [0.0] * count,
            "nodes_modes": modes,
            "nodes_truenodeids": true, "nodes_falsenodeids": false,
        }  # fmt: skip
        leaves = {
            "target_treeids": [0], "target_nodeids": [count - 1], "target_ids": [0],
            "target_weights": [1.0],
        }  # fmt: skip
        model.graph.node.append(helper.make_node("Constant", [], ["half"], value=half))
        model.graph.node.append(
            helper.make_node(
                "TreeEnsembleRegressor", ["half"], ["tree"], domain="ai.onnx.ml", n_targets=1,
                **nodes, **leaves,
            )
        )  # fmt: skip
        model.graph.output.append(helper.make_tensor_value_info("tree", TensorProto.FLOAT, None))

    return change


CHANGES = {
    "another domain": of_another_domain,
    "Python": that_runs_python,
    "sparse data outside": with_sparse_data_outside,
    "a cycle of two": with_a_tree([1, 0, 0], [2, 2, 0]),
    "a node that is its own child": with_a_tree([0, 0], [1, 0]),
    "a child that is not there": with_a_tree([1, 0], [99, 0]),
}


def test_a_tree_that_is_one_is_refused_for_its_output_alone(bundle: Path) -> None:
    model = ModelProto.FromString((bundle / "model.onnx").read_bytes())
    with_a_tree([1, 0, 0], [2, 0, 0])(model)
    put(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match="got inputs .* outputs prediction, probabilities, tree"):
        Model.load(bundle, threads=1)


@pytest.mark.parametrize("name", CHANGES)
def test_a_graph_that_could_do_harm_is_refused(name: str, bundle: Path) -> None:
    model = ModelProto.FromString((bundle / "model.onnx").read_bytes())
    CHANGES[name](model)
    put(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match="that onnxruntime can load|without external data"):
        Model.load(bundle, threads=1)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_no_model_and_is_not_unpickled(
    protocol: int, bundle: Path, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    put(bundle, pickle.dumps(Canary(canary), protocol))
    (bundle / "MLmodel").write_text("loader_module: os\ncode: .\nx: !!python/object/new:os.system")
    (bundle / "requirements.txt").write_text("--index-url http://127.0.0.1:1\n-e git+file:///x\n")
    with pytest.raises(BundleError):
        Model.load(bundle, threads=1)
    assert not canary.exists()
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickle.dumps(Canary(tmp_path / "no" / "canary")))  # noqa: S301


def test_a_file_that_is_exchanged_while_it_is_read_is_never_used(bundle: Path) -> None:
    """The bytes that are hashed are the bytes that are used: there is no moment between."""
    honest = (bundle / "model.onnx").read_bytes()
    files = [bundle.parent / name for name in ("honest", "other")]
    is_done = threading.Event()

    def exchange() -> None:
        number = 0
        while not is_done.is_set():
            number += 1
            draft = files[number % 2]
            draft.write_bytes(honest if number % 2 else b"\0" * len(honest))
            os.replace(draft, bundle / "model.onnx")

    exchanging = threading.Thread(target=exchange)
    exchanging.start()
    outcomes = set()
    try:
        for _ in range(TRIES):
            try:
                assert read_bundle(bundle).model == honest
                outcomes.add("read")
            except BundleError:
                outcomes.add("refused")
    finally:
        is_done.set()
        exchanging.join()
    assert outcomes == {"read", "refused"}


def test_nothing_can_unpickle_evaluate_or_install() -> None:
    """A guard over the source: no loader that runs what it reads."""
    runs = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml"}
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = {node.module.partition(".")[0]}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), file
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, file
            assert not names & runs, f"{file} imports {names & runs}"
