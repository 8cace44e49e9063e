"""A small bundle by hand: two numbers, a boolean, a category and a time to three classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from drivetrain.bundle.vectors import make_vectors
from drivetrain.bundle.write import write_bundle
from drivetrain.core.arrays import MISSING_TIME
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.manifest import Lineage, Manifest, Output, Proof
from drivetrain.runtime.admit import admit
from drivetrain.runtime.session import Session

CONTRACT = Contract(
    columns=(
        Column(name="age", kind="number", low=0, high=120),
        Column(name="income", kind="number"),
        Column(name="member", kind="boolean"),
        Column(name="city", kind="category", categories=("Bern", "Basel", "4")),
        Column(name="since", kind="datetime"),
    ),
    target=Target(name="plan", task="multiclass", classes=("a", "b", "c"), label_type="string"),
    ignored=("id",),
)
ROWS = (
    {"age": 39, "income": 1e5, "member": True, "city": "Bern", "since": "2020-01-02"},
    {"age": None, "income": 2.5, "member": "no", "city": None, "since": None},
    {"age": 7, "income": -1.25, "member": None, "city": 4, "since": "1969-12-31T23:59:59Z"},
    {"age": 250, "income": 2**53 + 2, "member": 0, "city": "Genf", "since": "2030-06-01"},
)


def graph() -> bytes:
    """Score each class from every column; NaN counts as zero."""
    weights = np.array([[0.01, 1e-6, 0.5, 1, 0], [0, 2e-6, -0.5, 0, 1], [0.02, 0, 0, -1, -1]])
    constants = {
        "axis": np.array([1], dtype=np.int64),
        "zero": np.array(0.0),
        "missing": np.array(MISSING_TIME),
        "year": np.array(365.25 * 86_400e6),
        "weights": weights.T.copy(),
    }
    node = helper.make_node
    nodes = [
        node("LabelEncoder", ["city"], ["city_code"], domain="ai.onnx.ml",
             keys_strings=["Bern", "Basel", "4"], values_floats=[1.0, 2.0, 3.0], default_float=0.0),
        node("Cast", ["city_code"], ["city_number"], to=TensorProto.DOUBLE),
        node("Equal", ["since", "missing"], ["since_missing"]),
        node("Cast", ["since"], ["since_number"], to=TensorProto.DOUBLE),
        node("Div", ["since_number", "year"], ["since_years"]),
        node("Where", ["since_missing", "zero", "since_years"], ["since_filled"]),
        *(node("Unsqueeze", [name, "axis"], [f"{name}_2d"])
          for name in ("age", "income", "member", "city_number", "since_filled")),
        node("Concat", ["age_2d", "income_2d", "member_2d", "city_number_2d", "since_filled_2d"],
             ["raw"], axis=1),
        node("IsNaN", ["raw"], ["is_nan"]),
        node("Where", ["is_nan", "zero", "raw"], ["features"]),
        node("MatMul", ["features", "weights"], ["margins"]),
        node("Softmax", ["margins"], ["blend"], axis=1),
        node("Cast", ["blend"], ["probabilities"], to=TensorProto.FLOAT),
        node("ArgMax", ["probabilities"], ["number"], axis=1, keepdims=0),
        node("LabelEncoder", ["number"], ["prediction"], domain="ai.onnx.ml",
             keys_int64s=[0, 1, 2], values_strings=["a", "b", "c"]),
    ]  # fmt: skip
    types = {"age": TensorProto.DOUBLE, "income": TensorProto.DOUBLE, "member": TensorProto.DOUBLE,
             "city": TensorProto.STRING, "since": TensorProto.INT64}  # fmt: skip
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, ["N"]) for name, kind in types.items()],
        [
            helper.make_tensor_value_info("prediction", TensorProto.STRING, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 5)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString()


def manifest(contract: Contract = CONTRACT) -> Manifest:
    """Give a manifest that is not sealed yet."""
    return Manifest(
        drivetrain="0.1.0",
        name="tiny",
        contract=contract,
        outputs=(
            Output(name="prediction", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, 3)),
        ),
        metric="log_loss",
        scorecard={"log_loss": 0.5, "nothing": float("nan")},
        recipes=({"family": "linear"},),
        proof=Proof(rows=4, adversarial_rows=0, max_abs_diff=0, tolerance=1e-5, label_flips=0),
        lineage=Lineage(
            data_fingerprint="0", rows=4, source="rows", settings={}, packages={}, python="3.11",
            seed=0,
        ),
    )  # fmt: skip


def write(
    path: Path, *, overwrite: bool = False, extra: dict[str, bytes] | None = None
) -> Manifest:
    """Write the bundle to ``path``."""
    model = graph()
    admitted = admit(CONTRACT, list(ROWS))
    outputs = Session(model, threads=1).run(admitted.columns, admitted.rows)
    vectors = make_vectors(CONTRACT, ROWS, admitted.columns, outputs)
    return write_bundle(path, manifest(), model, vectors, extra=extra, overwrite=overwrite)
