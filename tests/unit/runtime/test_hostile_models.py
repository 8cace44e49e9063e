"""Bundles made by someone who knows how to seal: what their graph may not do."""

from __future__ import annotations

import ast
import os
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, TensorProto, helper

from drivetrain.core.errors import BundleError
from drivetrain.core.manifest import FileSeal, Manifest, sealed
from drivetrain.runtime.bundle import read_bundle
from drivetrain.runtime.model import Model
from drivetrain.runtime.protobuf import fields, split_integers

SOURCES = Path(__file__).resolve().parents[3] / "src" / "drivetrain"
PROVES = bool(os.environ.get("DRIVETRAIN_PROVE"))
TRIES = 10_000 if PROVES else 300


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


def with_a_deep_tree(levels: int, inner: bool = False) -> Callable[[ModelProto], None]:
    """Add a tree of ai.onnx.ml 5 whose node ``i`` goes on to ``i + 1`` or to a leaf."""

    def change(model: ModelProto) -> None:
        leaf = [0] * (levels - 1) + [1]
        weights = helper.make_tensor("weights", TensorProto.FLOAT, [levels], [1.0] * levels)
        node = helper.make_node(
            "TreeEnsemble", ["half"], ["tree"], domain="ai.onnx.ml", n_targets=1, tree_roots=[0],
            nodes_truenodeids=[*range(1, levels), 0], nodes_trueleafs=leaf,
            nodes_falsenodeids=list(range(levels)), nodes_falseleafs=[1] * levels,
            nodes_featureids=[0] * levels, leaf_targetids=[0] * levels, leaf_weights=weights,
            nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [levels], [0] * levels),
            nodes_splits=helper.make_tensor("at", TensorProto.FLOAT, [levels], [0.5] * levels),
        )  # fmt: skip
        model.opset_import.add(domain="ai.onnx.ml", version=5)
        if inner:
            body = helper.make_graph([node], "body", [], [])
            node = helper.make_node("If", ["half"], ["tree"], then_branch=body, else_branch=body)
        half = helper.make_tensor("half", TensorProto.FLOAT, [1, 1], [0.5])
        model.graph.node.append(helper.make_node("Constant", [], ["half"], value=half))
        model.graph.node.append(node)
        model.graph.output.append(helper.make_tensor_value_info("tree", TensorProto.FLOAT, None))

    return change


DEEP = {
    "a tree of 10⁶ levels": with_a_deep_tree(10**6 if PROVES else 50_000),
    "a deep tree within a condition": with_a_deep_tree(1100, inner=True),
    "a deep tree of ai.onnx.ml 3": with_a_tree([*range(1, 1101), 0], [1100] * 1100 + [0]),
}
CHANGES = {
    "another domain": of_another_domain,
    "Python": that_runs_python,
    "sparse data outside": with_sparse_data_outside,
    "a cycle of two": with_a_tree([1, 0, 0], [2, 2, 0]),
    "a node that is its own child": with_a_tree([0, 0], [1, 0]),
    "a child that is not there": with_a_tree([1, 0], [99, 0]),
}


@pytest.mark.parametrize(
    "add",
    [with_a_tree([1, 0, 0], [2, 0, 0]), with_a_deep_tree(1000)],
    ids=["small", "1,000 levels"],
)
def test_a_tree_that_is_one_is_refused_for_its_output_alone(
    add: Callable[[ModelProto], None], bundle: Path
) -> None:
    model = ModelProto.FromString((bundle / "model.onnx").read_bytes())
    add(model)
    put(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match="got inputs .* outputs prediction, probabilities, tree"):
        Model.load(bundle, threads=1)


@pytest.mark.parametrize("name", CHANGES)
def test_a_graph_that_could_do_harm_is_refused(name: str, bundle: Path) -> None:
    model = ModelProto.FromString((bundle / "model.onnx").read_bytes())
    CHANGES[name](model)
    put(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match="can load|without external data|back into itself"):
        Model.load(bundle, threads=1)


@pytest.mark.parametrize("name", DEEP)
def test_a_tree_too_deep_for_a_loaders_stack_is_refused_before_it_is_loaded(
    name: str, bundle: Path
) -> None:
    model = ModelProto.FromString((bundle / "model.onnx").read_bytes())
    DEEP[name](model)
    put(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match="at most 1,000 levels"):
        read_bundle(bundle)


@settings(deadline=None)  # speed is measured in benchmarks, and a busy machine is slow
@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers_read_at_once_are_those_read_one_by_one(numbers: list[int]) -> None:
    attribute = AttributeProto(name="n", ints=numbers, i=7, type=AttributeProto.INTS)
    message = memoryview(attribute.SerializeToString())
    others, found = split_integers(message, 8)
    assert found.tolist() == numbers
    assert others == [field for field in fields(message) if field.number != 8]
    for cut in range(len(message)):
        with suppress(ValueError):
            split_integers(message[:cut], 8)


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
