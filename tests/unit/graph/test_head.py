"""The head: labels at a threshold or by costs, and one list of everything that is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from drivetrain.core.contract import Column, Contract, Target
from drivetrain.core.errors import DataError
from drivetrain.core.manifest import Output
from drivetrain.graph.block import GraphBuilder
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.number import Vector
from drivetrain.graph.head import Expected, Head
from drivetrain.graph.program import Member, Program, lower
from drivetrain.graph.run import open_session

SEVERAL = Target(name="y", task="multiclass", classes=("3", "5", "9"), label_type="int")


@dataclass(frozen=True)
class Twice:
    """An extra output: twice the blend."""

    def outputs(self, target: Target) -> tuple[Output, ...]:
        return (Output(name="twice", type="double", shape=(-1, 1)),)

    def lower(self, graph: GraphBuilder, blend: str) -> tuple[()]:
        graph.node("Add", [blend, blend], to="twice")
        return ()

    def expected(self, answers: Any, columns: Any) -> dict[str, Expected]:
        return {"twice": Expected(2 * answers)}


def program(target: Target, name: str = "v", **head: Any) -> Program:
    width = max(1, len(target.classes)) if target.task == "multiclass" else 1
    contract = Contract(columns=(Column(name=name, kind="vector", width=width),), target=target)
    encoders = ((Vector(name, "features"),),)
    link = {"multiclass": "softmax", "binary": "sigmoid"}.get(target.task, "identity")
    fold = Linear(np.eye(width), np.zeros(width))
    return Program(contract, (Member("m", encoders, ((fold,),), link),), **head)


def answers(made: Program, cells: np.ndarray) -> dict[str, np.ndarray]:
    session = open_session(lower(made))
    names = [info.name for info in session.get_outputs()]
    assert names == [output.name for output in made.head.outputs]
    feeds = {made.contract.names[0]: cells}
    return dict(zip(names, session.run(None, feeds), strict=True))


def test_of_several_classes_the_label_is_the_one_with_the_least_expected_cost() -> None:
    costs = np.array([[0.0, 1.0, 4.0], [10.0, 0.0, 1.0], [1.0, 2.0, 0.0]])
    made = program(SEVERAL, costs=costs)
    cells = np.random.default_rng(0).normal(size=(500, 3))
    found = answers(made, cells)
    expected = (found["probabilities"].astype(np.float64) @ costs).argmin(axis=1)
    assert found["prediction"].tolist() == np.array([3, 5, 9])[expected].tolist()
    likeliest = found["probabilities"].argmax(axis=1)
    assert (expected != likeliest).mean() > 0.1, "the costs decided"
    numbers, sure = made.head.label_numbers(found["probabilities"].astype(np.float64))
    assert numbers.tolist() == expected.tolist()
    assert (sure >= 0).all()


def test_a_row_alone_has_the_label_that_it_has_in_a_batch() -> None:
    made = program(SEVERAL, costs=np.array([[0.0, 1.0, 1.0], [3.0, 0.0, 1.0], [1.0, 1.0, 0.0]]))
    cells = np.random.default_rng(1).normal(size=(50, 3))
    batch = answers(made, cells)["prediction"]
    assert [answers(made, cells[i : i + 1])["prediction"][0] for i in range(50)] == batch.tolist()


def test_an_extra_is_one_of_the_outputs_and_no_column_may_have_its_name() -> None:
    regression = Target(name="y", task="regression")
    cells = np.array([[1.5], [-2.0]])
    assert answers(program(regression), cells).keys() == {"prediction"}
    found = answers(program(regression, extras=(Twice(),)), cells)
    assert found["twice"].tolist() == (2 * found["prediction"])[:, None].tolist()
    lower(program(regression, name="twice"))
    with pytest.raises(DataError, match=r"column 'twice'.*\[DT2G1\]"):
        lower(program(regression, name="twice", extras=(Twice(),)))


def test_the_outputs_name_the_columns_of_a_table() -> None:
    face = Head(SEVERAL).outputs
    assert [output.columns(SEVERAL.classes) for output in face] == [
        {"prediction": None},
        {"probability.3": 0, "probability.5": 1, "probability.9": 2},
    ]
