"""Tail probabilities agree with scipy; Benjamini-Hochberg with scipy and with its promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy import stats as reference

from drivetrain.stats.p_values import (
    benjamini_hochberg,
    chi_square_tail,
    gamma_tail,
    normal_tail,
    two_sided,
)
from drivetrain.stats.proportions import compare_shares


@given(shape=st.floats(0.05, 500), x=st.floats(0, 2000))
@settings(max_examples=200, deadline=None)
def test_gamma_tail_is_scipys(shape: float, x: float) -> None:
    assert gamma_tail(shape, x) == pytest.approx(special.gammaincc(shape, x), rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("freedom", [1, 2, 7, 19, 40, 400])
@pytest.mark.parametrize("statistic", [0.0, 0.1, 3.0, 20.0, 150.0, 900.0])
def test_chi_square_tail_is_scipys_far_out_too(statistic: float, freedom: int) -> None:
    expected = reference.chi2.sf(statistic, freedom)
    assert chi_square_tail(statistic, freedom) == pytest.approx(expected, rel=1e-8, abs=1e-14)


@pytest.mark.parametrize("z", [-3.0, 0.0, 0.5, 2.0, 8.0, 30.0])
def test_normal_tails_are_scipys(z: float) -> None:
    assert normal_tail(z) == pytest.approx(reference.norm.sf(z), rel=1e-10)
    assert two_sided(z) == pytest.approx(2 * reference.norm.sf(abs(z)), rel=1e-10)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    adjusted = reference.false_discovery_control(p)
    believed = benjamini_hochberg(p, rate=0.1)
    clear = np.abs(adjusted - 0.1) > 1e-9
    np.testing.assert_array_equal(believed[clear], (adjusted <= 0.1)[clear])


def test_of_no_tests_none_is_believed() -> None:
    assert benjamini_hochberg([]).tolist() == []


def test_where_nothing_is_there_few_windows_believe_any() -> None:
    random = np.random.default_rng(0)
    windows = sum(benjamini_hochberg(random.random(65), rate=0.05).any() for _ in range(1000))
    assert 25 <= windows <= 75


def test_shares_are_compared_as_the_chi_square_with_yates_correction_does() -> None:
    found = compare_shares(30, 400, 60, 500)
    table = np.array([[30, 370], [60, 440]])
    assert found.p_value == pytest.approx(reference.chi2_contingency(table).pvalue, rel=1e-9)
    assert found.change == pytest.approx(0.045)
