import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.search.blend import best_blend, models_within, smaller_blends
from drivetrain.search.blend_table import Candidate, Table, spread_of
from drivetrain.stats.metrics import find_metric


def noisy(y: np.ndarray, noise: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return (y + noise * generator.standard_normal(len(y)))[:, None]


def table(
    candidates: list[Candidate],
    y: np.ndarray,
    metric: str = "rmse",
    *,
    seed: int = 0,
    most_rows: int = 50_000,
) -> Table:
    return Table(candidates, y, None, find_metric(metric), seed=seed, most_rows=most_rows)


@pytest.fixture
def y() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(2000)


def test_independent_errors_are_averaged(y: np.ndarray) -> None:
    candidates = [Candidate(str(i), noisy(y, 1.0, i + 1), 1.0) for i in range(4)]
    blend = best_blend(table(candidates, y), most_ns=10.0)
    assert blend.score == pytest.approx(0.5, abs=0.03)
    assert all(share == pytest.approx(0.25, abs=0.05) for share in blend.weights.values())
    assert "cancel" in blend.decision.reason


def test_a_trial_that_adds_nothing_is_left_out(y: np.ndarray) -> None:
    good = Candidate("good", noisy(y, 0.1, 1), 1.0)
    poor = Candidate("poor", noisy(y, 5.0, 2), 1.0)
    blend = best_blend(table([poor, good], y), most_ns=10.0)
    assert blend.weights == {"good": 1.0}
    assert "alone" in blend.decision.choice


def test_a_gain_that_may_be_luck_is_not_taken() -> None:
    y = np.random.default_rng(3).standard_normal(30)
    shared = noisy(y, 1.0, 9)
    twins = [Candidate(str(i), shared + 1e-4 * noisy(0 * y, 1.0, i), 1.0) for i in range(2)]
    blend = best_blend(table(twins, y, "mae"), most_ns=10.0)
    assert len(blend.weights) == 1 or blend.decision.reason.count("%")


def test_members_together_stay_under_the_cost(y: np.ndarray) -> None:
    candidates = [Candidate(str(i), noisy(y, 1.0, i + 1), 4.0) for i in range(4)]
    blend = best_blend(table(candidates, y), most_ns=9.0)
    assert len(blend.weights) == 2


def test_a_trial_that_is_dearer_than_allowed_is_not_taken(y: np.ndarray) -> None:
    error = np.random.default_rng(5).standard_normal((len(y), 1))
    dear = Candidate("dear", y[:, None] + error, 99.0)
    cheap = Candidate("cheap", y[:, None] + 1.5 * error, 1.0)
    blend = best_blend(table([dear, cheap], y), most_ns=9.0)
    assert blend.weights == {"cheap": 1.0}


def test_where_every_trial_is_too_dear_the_best_is_taken(y: np.ndarray) -> None:
    candidates = [Candidate(str(i), noisy(y, 1.0 - i / 4, i), 99.0) for i in range(3)]
    blend = best_blend(table(candidates, y), most_ns=9.0)
    assert blend.weights == {"2": 1.0}


def test_label_metrics_select_on_log_loss_and_score_on_labels() -> None:
    generator = np.random.default_rng(0)
    p = generator.random(1000)
    y = (generator.random(1000) < p).astype(np.float64)
    candidates = [Candidate("a", p[:, None], 1.0), Candidate("b", np.full((1000, 1), 0.5), 1.0)]
    blend = best_blend(table(candidates, y, "accuracy"), most_ns=9.0)
    assert blend.weights == {"a": 1.0}
    assert blend.score == pytest.approx(float(((p > 0.5) == y).mean()))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_weights_sum_to_one_and_the_same_seed_gives_the_same_blend(seed: int, size: int) -> None:
    y = np.random.default_rng(seed).standard_normal(60)
    candidates = [Candidate(str(i), noisy(y, 1.0, seed + i), 1.0) for i in range(size)]
    first = best_blend(table(candidates, y, seed=seed), most_ns=10.0)
    again = best_blend(table(candidates, y, seed=seed), most_ns=10.0)
    assert first == again
    assert sum(first.weights.values()) == pytest.approx(1.0)
    assert min(first.weights.values()) >= 0.04


def test_the_member_that_is_missed_least_goes_first(y: np.ndarray) -> None:
    candidates = [Candidate(str(i), noisy(y, 1.0 + i / 2, i + 1), 1.0) for i in range(3)]
    whole = table(candidates, y)
    full = best_blend(whole, most_ns=10.0)
    assert set(full.weights) == {"0", "1", "2"}
    fewer = smaller_blends(full, whole)
    assert [set(blend.weights) for blend in fewer] == [{"0", "1"}, {"0"}]
    assert full.error < fewer[0].error < fewer[1].error


def test_weights_chosen_on_fewer_rows_are_scored_on_all(y: np.ndarray) -> None:
    candidates = [Candidate(str(i), noisy(y, 1.0 + i, i + 1), 1.0) for i in range(2)]
    blend = best_blend(table(candidates, y, most_rows=100), most_ns=10.0)
    mixed = sum(candidates[int(key)].prediction * w for key, w in blend.weights.items())
    assert blend.score == pytest.approx(find_metric("rmse").function(y, mixed[:, 0], None))


def test_members_come_before_more_models_of_one(y: np.ndarray) -> None:
    candidates = [Candidate(str(i), noisy(y, 1.0, i + 1), 40.0, models=4) for i in range(2)]
    blend = best_blend(table(candidates, y), most_ns=50.0, whole=False)
    assert len(blend.weights) == 2
    models = models_within(blend, candidates, 50.0)
    assert models is not None
    assert sum(models.values()) == 5
    assert set(models.values()) <= {2, 3}
    assert models_within(blend, candidates, 15.0) is None


def test_a_trial_counts_with_all_of_its_models(y: np.ndarray) -> None:
    candidates = [Candidate(str(i), noisy(y, 1.0, i + 1), 40.0, models=4) for i in range(2)]
    blend = best_blend(table(candidates, y), most_ns=50.0)
    assert len(blend.weights) == 1


def test_the_spread_of_a_difference_is_its_standard_error_and_shrinks_with_the_rows() -> None:
    random = np.random.default_rng(0)

    def spread(rows: int) -> float:
        y = random.normal(size=rows)
        first, second = (random.normal(size=(rows, 1)) for _ in range(2))
        return spread_of(find_metric("mae"), y, y[:, None] + first, y[:, None] + second, None, 0)

    # absolute normal numbers have the variance 1 - 2 / pi
    expected = np.sqrt(2.0 * (1.0 - 2.0 / np.pi))
    assert spread(1_000) == pytest.approx(expected / np.sqrt(1_000), rel=0.25)
    assert spread(40_000) == pytest.approx(expected / np.sqrt(40_000), rel=0.25)
