"""Foreign models are inlined with their own answers, or refused by name."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from drivetrain.core.errors import DataError
from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.run import run_blocks

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)


def model_of(*nodes: onnx.NodeProto, opset: int = 17, width: int = 4, **parts: object) -> bytes:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes),
        "foreign",
        [info("in", TensorProto.FLOAT, ["n", width])],
        [info("out", TensorProto.FLOAT, ["n", None])],
        **parts,  # type: ignore[arg-type]
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def foreign(model: bytes, wire: str = "X") -> Foreign:
    return Foreign(model, ((wire, "in"),), (("out", "margin"),))


def run(*blocks: Foreign, wire: str = "X", array: np.ndarray = X) -> np.ndarray:
    return run_blocks(list(blocks), {}, ["margin"], {wire: array})["margin"]


@pytest.mark.parametrize("opset", [13, 17, 20, 22, 23])
def test_an_old_or_new_operator_set_is_brought_to_ours(opset: int) -> None:
    two = numpy_helper.from_array(np.array([2.0], np.float32), "two")
    nodes = (
        helper.make_node("Mul", ["in", "two"], ["x"]),
        helper.make_node("Relu", ["x"], ["out"]),
    )
    made = run(foreign(model_of(*nodes, opset=opset, initializer=[two])))
    np.testing.assert_array_equal(made, np.maximum(2 * X, 0))


def test_a_model_twice_in_one_graph_keeps_its_names_apart() -> None:
    model = model_of(helper.make_node("Relu", ["in"], ["out"]))
    first = Foreign(model, (("X", "in"),), (("out", "middle"),))
    made = run(first, foreign(model, "middle"))
    np.testing.assert_array_equal(made, np.maximum(X, 0))


def test_a_column_is_given_as_the_table_of_one_column_that_the_model_wants() -> None:
    model = model_of(helper.make_node("Neg", ["in"], ["out"]), width=1)
    for column in (np.array([1.0, 2.0]), np.zeros(0)):
        made = run(foreign(model, "age"), wire="age", array=column)
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, -column[:, None])


def test_a_branch_in_the_model_is_inlined_with_its_inner_names() -> None:
    def branch(name: str, op: str) -> onnx.GraphProto:
        node = helper.make_node(op, ["in"], [name])
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([node], name, [], [out])

    true = numpy_helper.from_array(np.array(True), "true")
    choose = helper.make_node(
        "If", ["true"], ["out"], then_branch=branch("a", "Neg"), else_branch=branch("b", "Abs")
    )
    np.testing.assert_array_equal(run(foreign(model_of(choose, initializer=[true]))), -X)


def external() -> bytes:
    tensor = numpy_helper.from_array(np.ones(1, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    return model_of(helper.make_node("Mul", ["in", "w"], ["out"]), initializer=[tensor])


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (model_of(helper.make_node("Trick", ["in"], ["out"], domain="my.ops")), "operator Trick"),
        (
            model_of(helper.make_node("ZipMap", ["in"], ["out"], domain="ai.onnx.ml")),
            "'zipmap': False",
        ),
        (
            model_of(helper.make_node("TreeEnsembleRegressor", ["in"], ["out"],
                                      domain="ai.onnx.ml")),
            "operator TreeEnsembleRegressor",
        ),
        (model_of(helper.make_node("RandomNormalLike", ["in"], ["out"])), "RandomNormalLike"),
        (external(), "external data in tensor 'w'"),
        (b"no model", "serialised ONNX model"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_part_of_a_bundle_is_refused_by_name(model: bytes, named: str) -> None:
    with pytest.raises(DataError, match="DT222") as caught:
        run(foreign(model))
    assert named in str(caught.value)


def test_wrong_names_of_inputs_and_outputs_are_refused() -> None:
    model = model_of(helper.make_node("Relu", ["in"], ["out"]))
    with pytest.raises(DataError, match="expected the inputs in, got features"):
        run(Foreign(model, (("X", "features"),), (("out", "margin"),)))
    with pytest.raises(DataError, match="expected the outputs"):
        run(Foreign(model, (("X", "in"),), (("label", "margin"),)))
