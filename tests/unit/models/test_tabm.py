"""TabM is many models in one: unlike each other, averaged, and stopped on their average."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from drivetrain.models.family import Budget, Validation

torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")

from drivetrain.models.families.tabm import FittedTabM, family  # noqa: E402
from drivetrain.models.members import PIECES, pieces_of  # noqa: E402

SMALL = {"members": 4, "width": 16, "epochs": 6, "batch": 32}


def rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((300, 4)).astype(np.float32)
    y = (X[:, 0] + 0.5 * generator.standard_normal(300) > 0).astype(np.float64)
    return X, y


def fit(budget: Budget, **changed: Any) -> FittedTabM:
    (X, y), (judge, answers) = rows(0), rows(1)
    return family.fit(
        X,
        y,
        task="binary",
        classes=2,
        metric="log_loss",
        weight=None,
        validation=Validation(judge, answers),
        parameters=SMALL | changed,
        budget=budget,
        seed=3,
    )


def log_loss(p: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(np.where(y == 1, p, 1 - p)).mean())


def test_the_members_differ_and_their_mean_is_better_than_they_are_on_average() -> None:
    fitted = fit(Budget(lambda: 1e9))
    X, y = rows(2)
    with torch.no_grad():
        alone = fitted.net.forward(torch.from_numpy(X)).sigmoid().numpy()[:, :, 0]
    assert all(np.abs(a - b).max() > 0.01 for a, b in itertools.combinations(alone, 2))
    assert log_loss(alone.mean(axis=0), y) < np.mean([log_loss(one, y) for one in alone])


def test_the_epoch_that_is_kept_is_the_best_of_the_mean_prediction() -> None:
    judge, answers = rows(1)
    long = fit(Budget(lambda: 1e9), rate=0.05, epochs=30)
    best = long.details["best_epoch"]
    assert best < 30
    kept = log_loss(long.predict(judge)[:, 0], answers)
    last = fit(Budget(lambda: 1e9), rate=0.05, epochs=30, patience=1.0)
    assert last.details["best_epoch"] == best
    assert log_loss(last.predict(judge)[:, 0], answers) == kept


def test_a_fit_that_the_clock_cut_is_made_again_to_the_bit() -> None:
    left = iter([60.0] * 15 + [-1.0] * 99)
    cut = Budget(lambda: next(left))
    first = fit(cut)
    assert cut.choices
    again = fit(Budget(lambda: 1e9, replayed=cut.choices))
    X = rows(2)[0]
    np.testing.assert_array_equal(first.predict(X), again.predict(X))


def test_pieces_climb_one_after_the_other_and_a_feature_of_few_values_has_few() -> None:
    X = np.column_stack([np.linspace(-2, 2, 101), np.repeat([0.0, 1.0], [50, 51])])
    slope, offset = pieces_of(X.astype(np.float32))
    grown = np.clip(X[:, :1] * slope[:PIECES] + offset[:PIECES], 0, 1).sum(axis=1)
    np.testing.assert_allclose(grown, np.linspace(0, PIECES, 101), atol=1e-5)
    assert (slope[PIECES:] != 0).sum() == 1
