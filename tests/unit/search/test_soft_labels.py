"""Half of a label is its own, half is the teacher's."""

import numpy as np

from drivetrain.search.soft_labels import softened

NONE = float("nan")


def test_a_class_that_the_teacher_sees_becomes_a_row_of_its_weight() -> None:
    teacher = np.array([[0.2, 0.7, 0.1], [0.0, 0.0, 1.0]])
    rows, y, weight = softened(np.array([1.0, 2.0]), teacher, np.array([1.0, 2.0]), 3)
    assert rows.tolist() == [0, 0, 0, 1]
    assert y.tolist() == [0.0, 1.0, 2.0, 2.0]
    assert weight is not None
    np.testing.assert_allclose(weight, [0.1, 0.85, 0.05, 2.0])


def test_values_move_half_the_way_to_the_teacher() -> None:
    rows, y, weight = softened(np.array([1.0, 2.0]), np.array([[3.0], [NONE]]), None, 0)
    assert rows.tolist() == [0, 1]
    assert y.tolist() == [2.0, 2.0]
    assert weight is None


def test_a_row_that_no_teacher_knows_keeps_its_label() -> None:
    rows, y, weight = softened(np.array([1.0]), np.array([[NONE]]), None, 2)
    assert weight is not None
    assert (rows.tolist(), y.tolist(), weight.tolist()) == ([0], [1.0], [1.0])
