import numpy as np

from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.blocks.linear import Linear
from drivetrain.search.cost import cost_ns


def test_a_foreign_model_costs_by_its_size() -> None:
    small, large = (Foreign(bytes(size), (), ()) for size in (1_000, 1_000_000))
    assert 0 < cost_ns([small]) < cost_ns([large])
    assert cost_ns([small, large]) == cost_ns([small]) + cost_ns([large])


def test_a_linear_model_costs_by_its_weights() -> None:
    narrow, wide = (Linear(np.zeros((width, 1)), np.zeros(1)) for width in (10, 1000))
    assert cost_ns([wide]) == 100 * cost_ns([narrow])
