from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.folds import Fold, Folds
from drivetrain.graph.run import run_blocks
from drivetrain.search.calibrate import choose_calibration


def folds_of(rows: int, kind: str = "stratified", k: int = 5) -> Folds:
    part = np.arange(rows) * k // rows if kind == "time" else np.arange(rows) % k
    everything = np.arange(rows)
    parts = []
    for number in range(k):
        fit = part < number if kind == "time" else part != number
        parts.append(Fold(fit=everything[fit], judge=everything[part == number]))
    return Folds(tuple(parts), rows, kind)


def honest(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of every class, and classes drawn from them."""
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.ones(classes), n)
    y = (random.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(0, classes - 1)
    return p, y.astype(np.float64)


@pytest.mark.parametrize("classes", [2, 4])
def test_honest_probabilities_are_left_alone(classes: int) -> None:
    p, y = honest(3000, classes)
    given = p[:, 1:] if classes == 2 else p
    blocks, decision = choose_calibration(given, y, None, folds_of(len(y)))
    assert blocks == ()
    assert decision.choice == "none"


@pytest.mark.parametrize("classes", [2, 4])
def test_timid_probabilities_are_sharpened(classes: int) -> None:
    p, y = honest(3000, classes)
    timid = np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True)
    given = timid[:, 1:] if classes == 2 else timid
    blocks, decision = choose_calibration(given, y, None, folds_of(len(y)))
    assert np.mean(blocks[0].power) == pytest.approx(2.0, abs=0.25)
    assert decision.choice.startswith(("temperature", "beta"))


def test_beta_scaling_finds_a_shifted_class() -> None:
    p, y = honest(4000, 2)
    odds = 4.0 * p[:, 1] / p[:, 0]
    blocks, decision = choose_calibration((odds / (1 + odds))[:, None], y, None, folds_of(len(y)))
    assert decision.choice.startswith("beta")
    assert blocks[0].of(np.array([[0.8]]))[0, 0] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_graph_calibrates_as_numpy_does_a_row_alone_too(classes: int) -> None:
    p, y = honest(2000, classes)
    timid = np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True)
    given = timid[:, 1:] if classes == 2 else timid
    blocks, _ = choose_calibration(given, y, None, folds_of(len(y)))
    edges = np.vstack([given[:40], np.zeros((1, given.shape[1])), np.ones((1, given.shape[1]))])
    made = run_blocks(blocks, {}, ["calibrated"], {"blend": edges})["calibrated"]
    assert made == pytest.approx(blocks[0].of(edges), rel=1e-12, abs=1e-300)
    for row in range(len(edges)):
        alone = run_blocks(blocks, {}, ["calibrated"], {"blend": edges[row : row + 1]})
        assert alone["calibrated"].tobytes() == made[row : row + 1].tobytes()


def test_in_a_split_by_time_no_part_is_calibrated_by_a_later_one() -> None:
    """The first stretch is too sure, the last too timid: what is learned before does it harm."""
    p, y = honest(3000, 2)
    folds = folds_of(len(y), "time", k=3)
    for fold, power in zip(folds.for_models(), (1.1, 0.2), strict=True):
        part = p[fold.judge] ** power
        p[fold.judge] = part / part.sum(axis=1, keepdims=True)
    judged = np.concatenate([fold.judge for fold in folds.for_models()])
    _, decision = choose_calibration(p[judged, 1:], y[judged], None, folds)
    assert "changes the log-loss by +" in decision.reason
    _, leaking = choose_calibration(p[judged, 1:], y[judged], None, folds_of(len(judged)))
    assert "changes the log-loss by -" in leaking.reason


def test_too_few_rows_keep_what_they_have() -> None:
    p, y = honest(100, 2)
    assert "too few" in choose_calibration(p[:, 1:], y, None, folds_of(100))[1].reason
