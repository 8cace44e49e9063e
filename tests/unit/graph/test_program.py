"""One graph for a whole program: its face, its names, its bytes, its answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest

from drivetrain.core.arrays import Columns
from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import DataError
from drivetrain.graph.block import Block
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number, Vector
from drivetrain.graph.program import Member, Program, lower, lower_with_places
from drivetrain.graph.run import open_session, run_blocks

ENCODERS: tuple[tuple[Block, ...], ...] = (
    (Number("features", "features"),),
    (Number("X", "features", 0.0, 2.0),),
    (Lookup("const#3", "features", ("ä",), np.ones((1, 1), np.float32), np.zeros(1, np.float32)),),
    (Vector("v", "features"),),
)
WEIGHTS = np.array([[0.5], [-0.25], [2.0], [0.125], [1.0]])


def contract(**target: object) -> Contract:
    return Contract(
        columns=(
            Column(name="features", kind="number"),
            Column(name="X", kind="boolean"),
            Column(name="const#3", kind="category"),
            Column(name="v", kind="vector", width=2),
            Column(name="since", kind="datetime"),
            Column(name="blend", kind="text"),
        ),
        target=Target(name="y", **target),  # type: ignore[arg-type]
    )


REGRESSION = contract(task="regression")
BINARY = contract(task="binary", classes=("nein", "já"), label_type="string")
SEVERAL = contract(task="multiclass", classes=("3", "5", "9"), label_type="int")
COLUMNS: Columns = {
    "features": np.array([1.0, -2.0, 0.0]),
    "X": np.array([1.0, 0.0, 1.0]),
    "const#3": np.array(["ä", "", "b"], dtype=object),
    "v": np.array([[1.0, 2.0], [0.0, -1.0], [0.5, 0.25]]),
    "since": np.zeros(3, np.int64),
    "blend": np.array(["", "a", "b"], dtype=object),
}
MATRIX = np.array([[1.0, 2, 1, 1, 2], [-2, 0, 0, 0, -1], [0, 2, 0, 0.5, 0.25]])


def member(name: str, weights: np.ndarray, link: str, weight: float = 1.0) -> Member:
    fold = Linear(weights, np.zeros(weights.shape[1]))
    return Member(name, ENCODERS, ((fold,), (fold,)), link, weight)


def answer(program: Program, columns: Columns = COLUMNS) -> dict[str, np.ndarray]:
    session = open_session(lower(program))
    names = [info.name for info in session.get_outputs()]
    return dict(zip(names, session.run(None, columns), strict=True))


def test_the_face_is_one_named_tensor_for_each_column_used_or_not() -> None:
    session = open_session(lower(Program(BINARY, (member("m", WEIGHTS, "sigmoid"),))))
    assert [(info.name, info.type, info.shape) for info in session.get_inputs()] == [
        ("features", "tensor(double)", ["N"]),
        ("X", "tensor(double)", ["N"]),
        ("const#3", "tensor(string)", ["N"]),
        ("v", "tensor(double)", ["N", 2]),
        ("since", "tensor(int64)", ["N"]),
        ("blend", "tensor(string)", ["N"]),
    ]
    assert [(info.name, info.type, info.shape) for info in session.get_outputs()] == [
        ("prediction", "tensor(string)", ["N"]),
        ("probabilities", "tensor(float)", ["N", 2]),
    ]


def test_a_regression_answers_the_weighted_sum() -> None:
    members = (member("a", WEIGHTS, "identity", 0.25), member("b", -WEIGHTS, "identity", 2.0))
    made = answer(Program(REGRESSION, members))
    assert list(made) == ["prediction"]
    np.testing.assert_allclose(made["prediction"], -1.75 * (MATRIX @ WEIGHTS)[:, 0])


def test_a_binary_program_answers_labels_and_both_probabilities() -> None:
    program = Program(BINARY, (member("a", WEIGHTS, "sigmoid"),), threshold=0.9)
    made = answer(program)
    second = 1 / (1 + np.exp(-(MATRIX @ WEIGHTS)[:, 0]))
    np.testing.assert_allclose(made["probabilities"][:, 1], second, rtol=1e-6)
    assert made["probabilities"].dtype == np.float32
    np.testing.assert_array_equal(made["probabilities"].sum(axis=1), 1.0)
    assert made["prediction"].tolist() == ["já", "nein", "nein"]
    assert (second > 0.4).tolist() == [True, False, True], "0.9 decided, not 0.5"


def test_several_classes_answer_the_likeliest_label_and_probabilities_that_sum_to_one() -> None:
    weights = np.hstack([WEIGHTS, -WEIGHTS, WEIGHTS * 0.1])
    made = answer(Program(SEVERAL, (member("a", weights, "softmax", 0.7),)))
    np.testing.assert_allclose(made["probabilities"].sum(axis=1), 1.0, rtol=1e-6)
    likeliest = np.array([3, 5, 9])[made["probabilities"].argmax(axis=1)]
    assert made["prediction"].dtype == np.int64
    assert made["prediction"].tolist() == likeliest.tolist()
    assert len(set(likeliest.tolist())) > 1


def test_a_calibration_stands_between_the_blend_and_the_probabilities() -> None:
    class Half:
        inputs, outputs = ("blend",), ("calibrated",)

        def lower(self, graph: object) -> None:
            half = graph.constant(0.5, np.float64)  # type: ignore[attr-defined]
            graph.node("Mul", ["blend", half], to="calibrated")  # type: ignore[attr-defined]

    plain = Program(BINARY, (member("a", WEIGHTS, "sigmoid"),))
    halved = dataclasses.replace(plain, calibration=(Half(),))
    expected = answer(plain)["probabilities"][:, 1] / 2
    np.testing.assert_allclose(answer(halved)["probabilities"][:, 1], expected, rtol=1e-6)


def test_the_same_program_is_the_same_bytes() -> None:
    program = Program(BINARY, (member("a", WEIGHTS, "sigmoid"), member("b", WEIGHTS, "sigmoid")))
    assert lower(program) == lower(program)
    assert lower(program) != lower(dataclasses.replace(program, threshold=0.25))


def test_equal_encoders_and_matrices_are_emitted_once() -> None:
    one = Program(BINARY, (member("a", WEIGHTS, "sigmoid"),))
    two = Program(BINARY, (member("a", WEIGHTS, "sigmoid"), member("b", -WEIGHTS, "sigmoid")))

    def count(program: Program, op: str) -> int:
        graph = onnx.load_model_from_string(lower(program)).graph
        return sum(node.op_type == op for node in graph.node)

    assert count(two, "LabelEncoder") == count(one, "LabelEncoder") == 1
    assert count(two, "Where") == count(one, "Where")
    places = lower_with_places(two).members
    assert places["a"].matrix == places["b"].matrix
    assert count(two, "MatMul") == 2, "folds are merged into one block for each member"


def test_the_graph_passes_the_checker_and_holds_no_foreign_domain() -> None:
    model = onnx.load_model_from_string(lower(Program(BINARY, (member("a", WEIGHTS, "sigmoid"),))))
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx.ml", "com.microsoft"}


@pytest.mark.parametrize("name", ["", "prediction", "probabilities"])
def test_a_column_that_cannot_be_an_input_is_refused(name: str) -> None:
    bad = Contract(columns=(Column(name=name, kind="number"),), target=REGRESSION.target)
    with pytest.raises(DataError, match="Rename the column"):
        lower(Program(bad, (member("a", WEIGHTS, "identity"),)))


def test_no_rows_are_answered_with_no_rows() -> None:
    none = {name: cells[:0] for name, cells in COLUMNS.items()}
    made = answer(Program(SEVERAL, (member("a", np.hstack([WEIGHTS] * 3), "softmax"),)), none)
    assert made["prediction"].shape == (0,)
    assert made["probabilities"].shape == (0, 3)


def test_many_numbers_are_one_table_of_the_same_bits() -> None:
    awkward = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-320, 1e300, 3.4e38, 0.1])
    columns = {name: np.roll(awkward, shift) for shift, name in enumerate("abc")}
    blocks = (
        Number("a", "features"),
        Number("b", "features", 0.3, 1.7, -5.0, 5.0, 0.25),
        Number("c", "features", 0.0, 1e3, fill=-1.0),
        Number("a", "features", fill=2.0),
    )
    program = Program(
        Contract(
            columns=tuple(Column(name=name, kind="number") for name in "abc"),
            target=REGRESSION.target,
        ),
        (
            Member(
                "m",
                tuple((block,) for block in blocks),
                ((Linear(np.ones((4, 1)), np.zeros(1)),),),
                "identity",
            ),
        ),
    )
    lowered = lower_with_places(program)
    wire = lowered.members["m"].matrix
    model = onnx.load_model_from_string(lowered.model)
    assert sum(node.op_type == "Max" for node in model.graph.node) == 1
    model.graph.output.append(onnx.ValueInfoProto(name=wire))
    session = open_session(model.SerializeToString())
    apart = [run_blocks([block], columns, ["features"])["features"] for block in blocks]
    for rows in (slice(None), slice(0, 0), slice(2, 3)):
        part = {name: cells[rows] for name, cells in columns.items()}
        made = session.run([wire], part)[0]
        expected = np.concatenate(apart, axis=1)[rows]
        assert np.array_equal(made, expected, equal_nan=True)
        assert np.array_equal(np.signbit(made), np.signbit(expected))
