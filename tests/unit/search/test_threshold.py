import numpy as np
import pytest

from drivetrain.search.threshold import choose_threshold
from drivetrain.stats.metrics import find_metric


def rare(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Honest probabilities of a rare class, and classes drawn from them."""
    generator = np.random.default_rng(seed)
    p = generator.beta(0.5, 6.0, n)
    return p, (generator.random(n) < p).astype(np.float64)


def test_balanced_accuracy_gets_a_threshold_near_the_class_share() -> None:
    p, y = rare(5000)
    threshold, decision = choose_threshold(p, y, None, find_metric("balanced_accuracy"), 0)
    assert threshold == pytest.approx(y.mean(), abs=0.05)
    assert decision.subject == "threshold"


@pytest.mark.parametrize("metric", ["auc", "log_loss", "accuracy"])
def test_metrics_that_gain_nothing_keep_one_half(metric: str) -> None:
    p, y = rare(2000)
    assert choose_threshold(p, y, None, find_metric(metric), 0)[0] == 0.5


def test_too_few_rows_of_a_class_keep_one_half() -> None:
    p, y = rare(100)
    threshold, decision = choose_threshold(p, y, None, find_metric("f1"), 0)
    assert threshold == 0.5
    assert "too few" in decision.reason
