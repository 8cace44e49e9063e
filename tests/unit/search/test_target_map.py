from __future__ import annotations

import numpy as np
import pytest

from drivetrain.graph.run import run_blocks
from drivetrain.search.target_map import find_maps


def skewed(n: int = 2000, seed: int = 0) -> np.ndarray:
    return np.asarray(np.exp(2.0 * np.random.default_rng(seed).normal(size=n)))


@pytest.mark.parametrize("kind", ["log", "quantile"])
def test_what_is_mapped_comes_back(kind: str) -> None:
    y = skewed()
    (found,) = (one for one in find_maps(y, "mae") if one.kind == kind)
    back = found.back(found.forward(y)[:, None])[:, 0]
    assert back == pytest.approx(y, rel=1e-9)


@pytest.mark.parametrize("kind", ["log", "quantile"])
def test_the_graph_undoes_a_map_as_numpy_does_also_past_both_ends(kind: str) -> None:
    (found,) = (one for one in find_maps(skewed(), "mae") if one.kind == kind)
    low, high = found.mapped[0], found.mapped[-1]
    margin = np.linspace(low - 1.0, high + 1.0, 501)[:, None]
    made = run_blocks([found.curve()], {}, ["probability"], {"margin": margin})["probability"]
    assert made == pytest.approx(found.back(margin), rel=1e-12, abs=1e-12)
    assert np.all(np.diff(made[:, 0]) > 0)


def test_a_row_alone_is_undone_to_the_same_bits() -> None:
    found = find_maps(skewed(), "rmse")[0]
    margin = np.linspace(found.mapped[0], found.mapped[-1], 33)[:, None]
    block = [found.curve()]
    together = run_blocks(block, {}, ["probability"], {"margin": margin})["probability"]
    for row in range(len(margin)):
        one = {"margin": margin[row : row + 1]}
        alone = run_blocks(block, {}, ["probability"], one)["probability"]
        assert alone.tobytes() == together[row : row + 1].tobytes()


def test_a_target_of_negative_values_gets_no_logarithm() -> None:
    y = skewed()
    assert "log" not in [one.kind for one in find_maps(y - 1.0, "rmse")]


@pytest.mark.parametrize("metric", ["rmsle", "mape"])
def test_relative_errors_are_learned_on_logs_even_without_a_tail(metric: str) -> None:
    y = np.random.default_rng(0).uniform(10.0, 20.0, 500)
    assert [one.kind for one in find_maps(y, metric)] == ["log"]
    assert find_maps(y, "rmse") == ()


def test_counts_of_a_few_are_left_alone() -> None:
    assert find_maps(np.random.default_rng(0).poisson(1.0, 1000).astype(float), "rmse") == ()
